// Keelson's own program for machines: one bundle of keeld and keel, its Node, the dashboard's files.
import { existsSync } from "node:fs";
import { chmod, copyFile, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { KeelError } from "../../base/errors.ts";
import { CommandError, runCommand } from "../command.ts";
import { asStep, formatBytes } from "../progress.ts";
import type { Progress } from "../progress.ts";
import type { ContentCache } from "./content-cache.ts";
import { firstExisting, hashPaths } from "./file-hash.ts";
import { leaveOut } from "./left-out.ts";
import { askForBuiltins } from "./node-builtins.ts";
import { keepEnglish } from "./node-locales.ts";

const entries: Readonly<Record<string, string>> = {
  keeld: "packages/keelson/src/daemons/keeld.ts",
  keel: "packages/keelson/src/cli/main.ts",
  gate: "packages/keelson/src/daemons/gate.ts",
  provision: "packages/keelson/src/daemons/provision.ts",
};
const sources = ["etcd", "omaha", "systemd", "keelson"].flatMap((name) => [
  `packages/${name}/src`,
  `packages/${name}/package.json`,
]);

export interface ProgramOptions {
  /** The root of the checkout. */
  readonly repository: string;
  readonly cache: ContentCache;
  readonly progress: Progress;
}

/** The folder with keeld.js, keel.js and what they share. */
export function programBundle({ repository, cache, progress }: ProgramOptions): Promise<string> {
  const hash = hashPaths(repository, [...sources, "package-lock.json"], ["6"]);
  return cache.entry("bundles", hash, (folder) =>
    asStep(progress, "bundle keeld and keel", () => bundle(repository, folder)),
  );
}

async function bundle(repository: string, folder: string): Promise<void> {
  const input = Object.fromEntries(
    Object.entries(entries)
      .map(([name, path]) => [name, join(repository, path)] as const)
      .filter(([, path]) => existsSync(path)),
  );
  if (Object.keys(input).length === 0) return;
  const { rolldown } = await import("rolldown");
  try {
    await using build = await rolldown({
      input,
      cwd: repository,
      platform: "node",
      logLevel: "silent",
      plugins: [leaveOut(), askForBuiltins()],
    });
    await build.write({
      dir: folder,
      format: "esm",
      chunkFileNames: "part-[hash].js",
      comments: false,
      minify: { mangle: false, compress: false, codegen: true },
    });
    // Without it Node would read every file twice, first as something else.
    await writeFile(join(folder, "package.json"), '{"type":"module"}\n');
  } catch (cause) {
    const words = stripVTControlCharacters((cause as Error).message)
      .split("\n")
      .slice(0, 12)
      .join("\n");
    throw new KeelError("KEEL-302", `the program could not be bundled: ${words}`);
  }
}

/** The folder with `node`: the one of the lockfile, without its symbols and without other languages than English. */
export function strippedNode({ repository, cache, progress }: ProgramOptions): Promise<string> {
  const architecture = process.arch;
  const package_ = `node_modules/node-linux-${architecture}`;
  const binary = join(repository, package_, "bin/node");
  if (!existsSync(binary)) {
    throw new KeelError("KEEL-302", `${binary} is missing`, { hint: "run npm ci in the checkout" });
  }
  const hash = hashPaths(repository, [`${package_}/package.json`], [architecture, "2"]);
  return cache.entry("nodes", hash, (folder) =>
    asStep(
      progress,
      "prepare the machines’ Node",
      async () => {
        const target = join(folder, "node");
        await copyFile(binary, target);
        await runCommand(["strip", "--strip-all", target]);
        const content = await readFile(target);
        keepEnglish(content);
        await writeFile(target, content);
        await chmod(target, 0o755);
        await tryNode(target);
        return (await stat(target)).size;
      },
      formatBytes,
    ),
  );
}

/** What Keelson asks of Node's languages: sorting with numbers, time zones, UTF-8 and UTF-16. */
const trial = `
const { format } = new Intl.DateTimeFormat("en", { timeZone: "Europe/Berlin", dateStyle: "long", timeStyle: "short" });
const names = ["a10", "a9"].sort(new Intl.Collator("en", { numeric: true }).compare);
const text = new TextDecoder("utf-16le", { fatal: true }).decode(Uint8Array.of(0x4b, 0));
console.log(names.join(), text, "\u00e9".normalize("NFD").length, format(0).replace(/\\s/g, " "));`;
const trialAnswer = "a9,a10 K 2 January 1, 1970 at 1:00 AM";

async function tryNode(node: string): Promise<void> {
  const answer = await runCommand([node, "--eval", trial], { env: { LANG: "C.UTF-8" } });
  if (answer.trim() !== trialAnswer)
    throw new KeelError("KEEL-313", `the machines’ Node answers “${answer.trim()}”, not “${trialAnswer}”`);
}

/** The folder with the dashboard's files, empty while there is no dashboard to build. */
export function dashboardFiles({ repository, cache, progress }: ProgramOptions): Promise<string> {
  const workspace = join(repository, "packages/dashboard");
  const page = firstExisting(join(workspace, "index.html"));
  const hash = hashPaths(
    repository,
    ["packages/dashboard", "package-lock.json"],
    [page === undefined ? "none" : "1"],
  );
  return cache.entry("dashboards", hash, (folder) => {
    if (page === undefined) return Promise.resolve();
    return asStep(progress, "build the dashboard", async () => {
      const vite = join(repository, "node_modules/.bin/vite");
      const argv = [
        process.execPath,
        vite,
        "build",
        "--outDir",
        folder,
        "--emptyOutDir",
        "--logLevel",
        "error",
      ];
      try {
        await runCommand(argv, { cwd: workspace, env: { NODE_ENV: "production" } });
      } catch (cause) {
        if (!(cause instanceof CommandError)) throw cause;
        const words = stripVTControlCharacters(cause.result.stderr).trim().split("\n").slice(0, 8).join("\n");
        throw new KeelError("KEEL-302", `the dashboard could not be built: ${words}`, { cause });
      }
    });
  });
}
