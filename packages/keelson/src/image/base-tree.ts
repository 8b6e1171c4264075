// The root file system without Keelson's own part: Debian's packages less what a machine does without, and the
// kernel modules that stay. Cached, since it changes with the packages only.
import {
  chmod,
  chown,
  cp,
  glob,
  lstat,
  mkdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { createHash } from "node:crypto";
import { runCommand } from "../local/command.ts";
import { asStep } from "../local/progress.ts";
import type { Progress } from "../local/progress.ts";
import type { ContentCache } from "../local/tree/content-cache.ts";
import { debianTree } from "../local/tree/debian-tree.ts";
import { copyFirmware } from "./firmware.ts";
import type { KernelTree } from "./kernel-tree.ts";
import { earlyModules, keptModules, moduleList, parseModulesDep } from "./modules.ts";
import type { ImageSources } from "./sources.ts";
import { runTool } from "../local/tree/tools-tree.ts";

export const packagesKind = "image-packages";
export const baseKind = "image-bases";
const builderVersion = 2;

export interface BaseTree {
  readonly hash: string;
  /** The root file system. */
  readonly root: string;
  /** Name, version, architecture and size of every package, the kernel's as well, one a line. */
  readonly packageList: string;
  /** Seconds since 1970: when the newest of the packages was made. */
  readonly epoch: number;
  /** Paths below the root of the modules that the first process loads. */
  readonly initrdModules: readonly string[];
  /** The list that it reads: which to load for which device. */
  readonly moduleList: string;
}

export interface BaseTreeOptions {
  readonly sources: ImageSources;
  readonly kernel: KernelTree;
  /** Keeps the installed packages. */
  readonly packages: ContentCache;
  /** Keeps what is made of them. */
  readonly cache: ContentCache;
  readonly tools: string;
  readonly mirror: string;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

interface BaseFacts {
  readonly epoch: number;
  readonly initrdModules: readonly string[];
  readonly moduleList: string;
}

/** The tree, made when it is not cached. Throws KEEL-302 when the packages could not be installed. */
export async function baseTree(options: BaseTreeOptions): Promise<BaseTree> {
  const { sources, kernel, cache, progress, mirror, signal } = options;
  const packages = await debianTree({
    recipe: sources.recipe,
    cache: options.packages,
    mirror,
    architecture: sources.architecture,
    progress,
    kind: packagesKind,
    title: "install the image’s packages",
    ...(signal === undefined ? {} : { signal }),
  });
  const entries = [packages, dirname(kernel.root)].map((path) => basename(path));
  const parts = [builderVersion, entries, sources.remove, sources.modules, sources.initrdModules];
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
  const folder = await cache.entry(baseKind, hash, (target) =>
    asStep(progress, "strip the tree, choose kernel modules", () => makeBase(options, packages, target)),
  );
  const facts = JSON.parse(await readFile(join(folder, "facts.json"), "utf8")) as BaseFacts;
  return { hash, root: join(folder, "root"), packageList: join(folder, "packages.txt"), ...facts };
}

async function makeBase(
  { sources, kernel, tools }: BaseTreeOptions,
  packages: string,
  target: string,
): Promise<void> {
  const root = join(target, "root");
  const epoch = await newestPackage(join(packages, "root"));
  // Links to the cached files: a gigabyte less to copy, and nothing below is changed in place.
  await runCommand(["cp", "--archive", "--link", join(packages, "root"), root]);
  for (const pattern of sources.remove) {
    for await (const path of glob(pattern, { cwd: root }))
      await rm(join(root, path), { recursive: true, force: true });
  }
  for (const name of ["boot", "dev", "efi", "mnt", "proc", "run", "sys", "tmp", "var"]) {
    await mkdir(join(root, name), { recursive: true });
  }
  await withoutPrivilege(root);
  const early = await copyModules({ sources, kernel, root, tools, bind: target });
  const lists = [join(packages, "packages.txt"), kernel.packageList];
  const lines = (await Promise.all(lists.map((path) => readFile(path, "utf8")))).join("").split("\n");
  await writeFile(
    join(target, "packages.txt"),
    `${lines
      .filter((line) => line !== "")
      .sort()
      .join("\n")}\n`,
  );
  await writeFile(join(target, "facts.json"), JSON.stringify({ epoch, ...early } satisfies BaseFacts));
}

/** Takes the set-user-ID and set-group-ID bits from every file: nothing here is meant to give a user more rights. */
async function withoutPrivilege(root: string): Promise<void> {
  const found = await runCommand(["find", root, "-xdev", "-type", "f", "-perm", "/6000", "-print0"]);
  for (const path of found.split("\0").filter((name) => name !== "")) {
    const info = await stat(path);
    // A copy: the file is the cached tree's as well.
    await cp(path, `${path}.plain`);
    await chown(`${path}.plain`, info.uid, info.gid);
    await chmod(`${path}.plain`, info.mode & 0o777);
    await rename(`${path}.plain`, path);
  }
}

/** When the newest package was made: dpkg keeps the time of what came inside it. */
async function newestPackage(root: string): Promise<number> {
  let newest = 0;
  for await (const path of glob("var/lib/dpkg/info/*.md5sums", { cwd: root })) {
    newest = Math.max(newest, Math.floor((await stat(join(root, path))).mtimeMs / 1000));
  }
  return newest;
}

interface ModulesTask {
  readonly sources: ImageSources;
  readonly kernel: KernelTree;
  readonly root: string;
  readonly tools: string;
  readonly bind: string;
}

/** Unpacked modules compress better as part of the image, and load faster. */
async function copyModules({
  sources,
  kernel,
  root,
  tools,
  bind,
}: ModulesTask): Promise<Omit<BaseFacts, "epoch">> {
  const from = join(kernel.root, "usr/lib/modules", kernel.release);
  const folder = `usr/lib/modules/${kernel.release}`;
  const to = join(root, folder);
  const graph = parseModulesDep(await readFile(join(from, "modules.dep"), "utf8"));
  const { always, devices } = sources.initrdModules;
  const early = earlyModules(graph, [...always, ...devices]);
  const earlyPaths = [...new Set(early.flatMap(({ path, needs }) => [...needs, path]))];
  const kept = new Set([...keptModules(graph, sources.modules), ...earlyPaths]);
  const packed: string[] = [];
  for (const path of kept) {
    await mkdir(dirname(join(to, path)), { recursive: true });
    await cp(join(from, path), join(to, path));
    if (path.endsWith(".xz")) packed.push(join(to, path));
  }
  if (packed.length > 0) await runCommand(["xz", "--decompress", ...packed]);
  for (const name of ["modules.builtin", "modules.builtin.modinfo", "modules.order"]) {
    await cp(join(from, name), join(to, name));
  }
  await runTool(tools, ["depmod", "--basedir", join(root, "usr"), kernel.release], { binds: [bind] });
  const modules = [...kept].map((path) => join(to, path.replace(/\.xz$/, "")));
  await copyFirmware({ from: kernel.root, root, modules, tools });
  const aliases = await readFile(join(to, "modules.alias"), "utf8");
  return {
    initrdModules: earlyPaths.map((path) => join(folder, path.replace(/\.xz$/, ""))),
    moduleList: moduleList(early, always, aliases),
  };
}

/** Gives a file or folder and everything in it the same time. */
export async function setTimes(path: string, seconds: number): Promise<void> {
  const info = await lstat(path);
  if (info.isSymbolicLink()) return;
  if (info.isDirectory()) {
    for await (const name of glob("*", { cwd: path })) await setTimes(join(path, name), seconds);
  }
  await utimes(path, seconds, seconds);
}
