// The lower layer of a machine: Debian's packages, installed from the recipe, cached by its hash.
import { glob, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { CommandError, runCommand, tryCommand } from "../command.ts";
import { asStep, formatBytes } from "../progress.ts";
import type { Progress } from "../progress.ts";
import type { ContentCache } from "./content-cache.ts";
import { installCommand, InstallProgress } from "./mmdebstrap.ts";
import { recipeHash } from "./recipe.ts";
import type { Recipe } from "./recipe.ts";

// Part of the hash: raise it when this file or mmdebstrap.ts makes something else of the same recipe.
const builderVersion = 1;

export const treeKind = "trees";
export const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Debian's names for the architectures that Keelson's machines run on. */
export function debianArchitecture(nodeArchitecture: string): string {
  const names: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
  const name = names[nodeArchitecture];
  if (name === undefined) {
    throw new KeelError("KEEL-301", `Keelson’s machines run on x86-64 and arm64, not on ${nodeArchitecture}`);
  }
  return name;
}

export interface DebianTreeOptions {
  readonly recipe: Recipe;
  readonly cache: ContentCache;
  readonly mirror: string;
  readonly architecture: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
  /** Where in the cache it is kept, and what it is called while it is built. */
  readonly kind?: string;
  readonly title?: string;
}

/** The hash under which the recipe's tree is cached. */
export function treeHash(recipe: Recipe, architecture: string): string {
  return recipeHash(recipe, architecture, builderVersion);
}

/**
 * The folder with `root/` (the tree) and `packages.txt` (name, version and size of what is in it), built
 * when it is not cached. Throws KEEL-302 with the build's last words.
 */
export function debianTree(options: DebianTreeOptions): Promise<string> {
  const { recipe, cache, architecture } = options;
  return cache.entry(options.kind ?? treeKind, treeHash(recipe, architecture), (folder) =>
    asStep(
      options.progress,
      options.title ?? "build the machine tree",
      async (step) => {
        const tree = join(folder, "root");
        await install(options, tree, (detail) => step.update(detail));
        step.update("tidying up");
        const packages = await packageList(tree);
        await writeFile(join(folder, "packages.txt"), packages);
        await removeLeftovers(tree, recipe.remove);
        await writeFile(join(tree, "etc/machine-id"), "");
        return { packages: packages.split("\n").length - 1, bytes: await sizeOf(tree) };
      },
      ({ packages, bytes }) => `${packages} packages, ${formatBytes(bytes)}`,
    ),
  );
}

async function install(
  options: DebianTreeOptions,
  target: string,
  show: (detail: string) => void,
): Promise<void> {
  const { architecture, mirror, signal } = options;
  const aptOptions = await hostProxy();
  const argv = installCommand(options.recipe, {
    target,
    architecture,
    mirror,
    aptOptions,
    keyring: debianKeyring,
  });
  const progress = new InstallProgress();
  const onLine = (line: string): void => {
    const detail = progress.line(line);
    if (detail !== undefined) show(detail);
  };
  try {
    await runCommand(argv, { onLine, ...(signal === undefined ? {} : { signal }) });
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    const words = cause.result.stderr.split("\n").filter((line) => /^[EW]:|error|fail/i.test(line));
    throw new KeelError("KEEL-302", `the machine tree could not be built:\n${words.slice(-8).join("\n")}`, {
      cause,
      hint: `check that ${mirror} can be reached, then run the same command again`,
    });
  }
}

/** The apt options with which the host reaches archives by a proxy; none when it needs none. */
export async function hostProxy(): Promise<string[]> {
  const result = await tryCommand(["apt-config", "shell", "proxy", "Acquire::http::Proxy"]).catch(
    () => undefined,
  );
  const proxy = /^proxy='([^'"]+)'$/m.exec(result?.stdout ?? "")?.[1];
  return proxy === undefined ? [] : [`Acquire::http::Proxy "${proxy}"`];
}

async function packageList(tree: string): Promise<string> {
  const admin = join(tree, "var/lib/dpkg");
  return runCommand([
    "dpkg-query",
    `--admindir=${admin}`,
    "--show",
    "--showformat",
    "${Package} ${Version} ${Architecture} ${Installed-Size}\n",
  ]);
}

async function removeLeftovers(tree: string, patterns: readonly string[]): Promise<void> {
  for (const pattern of patterns) {
    for await (const path of glob(pattern, { cwd: tree }))
      await rm(join(tree, path), { recursive: true, force: true });
  }
}

async function sizeOf(folder: string): Promise<number> {
  const text = await runCommand(["du", "-s", "-x", "--block-size=1", folder]);
  return Number(text.split("\t")[0]);
}

/** Whether building would download: the tree is not in the cache. */
export function treeIsCached(cache: ContentCache, recipe: Recipe, architecture: string): boolean {
  return existsSync(cache.path(treeKind, treeHash(recipe, architecture)));
}
