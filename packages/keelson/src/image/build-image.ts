// From os/ to an image: packages → stripped tree → erofs with dm-verity → unified kernel image → disk. Every stage is
// cached under a hash of what it is made from, so that a build that was stopped goes on where it was.
import { readFile, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { runCommand } from "../local/command.ts";
import { asStep, formatBytes } from "../local/progress.ts";
import type { Progress } from "../local/progress.ts";
import { ContentCache } from "../local/tree/content-cache.ts";
import { hashPaths } from "../local/tree/file-hash.ts";
import { defaultCacheDirectory, defaultMirror } from "../local/tree/machine-tree.ts";
import { systemLayer } from "../local/tree/system-layer.ts";
import { bootEntryName } from "../model/os-image.ts";
import type { Variant } from "../model/os-image.ts";
import type { ReleaseManifest } from "../releases/manifest.ts";
import { baseTree } from "./base-tree.ts";
import type { BaseTree } from "./base-tree.ts";
import { checkLibraries } from "./check-libraries.ts";
import { diskImage } from "./disk-image.ts";
import { microcode } from "./firmware.ts";
import { firstProcess, initrd } from "./initrd.ts";
import { kernelTree } from "./kernel-tree.ts";
import type { KernelTree } from "./kernel-tree.ts";
import { rootImage } from "./root-image.ts";
import type { RootImage } from "./root-image.ts";
import { readSources } from "./sources.ts";
import type { ImageSources } from "./sources.ts";
import { toolsTree } from "../local/tree/tools-tree.ts";
import { bootLoader, commandLine, unifiedKernel } from "./unified-kernel.ts";
import type { SecureBoot } from "./unified-kernel.ts";
import { imageLayer, osRelease } from "./image-layer.ts";

export const imageKind = "images";
const builderVersion = 3;

export interface BuildOptions {
  /** The root of the checkout. */
  readonly repository: string;
  readonly variant: Variant;
  /** Three numbers with dots. */
  readonly version: string;
  readonly cacheDirectory?: string;
  readonly mirror?: string;
  readonly secureBoot?: SecureBoot;
  /** The file of the signed root of trust that the machine believes; without one it takes no updates. */
  readonly trust?: string;
  /** Of the release: 0 unless given. */
  readonly releaseEpoch?: number;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** What a build made; all paths lie in one folder of the cache. */
export interface BuiltImage {
  readonly folder: string;
  readonly version: string;
  readonly variant: Variant;
  readonly architecture: ReleaseManifest["architecture"];
  /** The content of a root slot. */
  readonly root: RootImage;
  /** The unified kernel image; its parts lie beside it as vmlinuz, initrd.zst and cmdline. */
  readonly kernel: string;
  /** The whole disk, sparse. */
  readonly disk: string;
  /** Name, version, architecture and size of the packages, one a line. */
  readonly packageList: string;
  /** Seconds since 1970: the time of everything in it. */
  readonly epoch: number;
  readonly kernelRelease: string;
}

/** Builds an image, or takes it from the cache. Needs root. Throws KEEL-302, KEEL-331, KEEL-332 and KEEL-335. */
export function buildImage(options: BuildOptions): Promise<BuiltImage> {
  const cache = new ContentCache(options.cacheDirectory ?? defaultCacheDirectory);
  return build(options, cache, cache);
}

/** The same build, with everything after the packages made again in `folder`, on the cache's file system. */
export function assembleAgain(options: BuildOptions, folder: string): Promise<BuiltImage> {
  const cache = new ContentCache(options.cacheDirectory ?? defaultCacheDirectory);
  return build(options, cache, new ContentCache(folder));
}

/** The root file system of a build without Keelson's own part: Debian's packages, stripped, and the modules. */
export async function baseOf(options: BuildOptions): Promise<BaseTree> {
  const cache = new ContentCache(options.cacheDirectory ?? defaultCacheDirectory);
  return (await debianPart(options, cache, cache)).base;
}

interface DebianPart {
  readonly sources: ImageSources;
  readonly tools: string;
  readonly kernel: KernelTree;
  readonly base: BaseTree;
}

async function debianPart(
  options: BuildOptions,
  packages: ContentCache,
  cache: ContentCache,
): Promise<DebianPart> {
  const { repository, progress, variant } = options;
  const mirror = options.mirror ?? defaultMirror;
  const sources = await readSources(repository, variant);
  const tools = await toolsTree({ ...options, cacheDirectory: packages.directory, mirror });
  const kernel = await kernelTree({ sources, cache: packages, tools, mirror, progress });
  const base = await baseTree({ ...options, sources, kernel, packages, cache, tools, mirror });
  return { sources, tools, kernel, base };
}

/** `packages` keeps what was downloaded and installed, `cache` all that is made of it. */
async function build(
  options: BuildOptions,
  packages: ContentCache,
  cache: ContentCache,
): Promise<BuiltImage> {
  const { repository, progress } = options;
  const debian = await debianPart(options, packages, cache);
  const { sources, tools, base } = debian;
  const system = await systemLayer({ repository, cache, progress });
  const layer = await imageLayer({ ...options, cache, packageList: base.packageList });
  const init = await firstProcess({ repository, tools, cache, progress });
  // Names of entries say what is in them, wherever the cache lies.
  const entries = [dirname(tools), base.hash, system, layer, dirname(init)].map((path) => basename(path));
  const parts = [builderVersion, entries, sources.commandLine, secureBootParts(options)];
  const seed = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  const hash = hashPaths(repository, ["os/partitions"], [seed, options.version]);
  const layers = [layer, system, base.root];
  const folder = await cache.entry(imageKind, hash, (target) =>
    assemble({ ...options, ...debian, layers, init, seed, target }),
  );
  return builtImage(folder);
}

/** Of the signer only what everybody may know: the bytes are the same whenever its key signs. */
function secureBootParts({ secureBoot }: BuildOptions): unknown {
  if (secureBoot === undefined) return "";
  const { signer, enrolment = new Map<string, Uint8Array>() } = secureBoot;
  const files = [...enrolment].map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]);
  return [signer.certificate.toString(), ...files];
}

interface Assembly extends BuildOptions, DebianPart {
  readonly layers: readonly string[];
  readonly init: string;
  readonly seed: string;
  readonly target: string;
}

async function assemble(assembly: Assembly): Promise<void> {
  const { sources, tools, kernel, base, layers, version, variant, progress, target, secureBoot } = assembly;
  const { epoch } = base;
  await asStep(progress, "check that programs find their libraries", () => checkLibraries(layers));
  const root = await asStep(
    progress,
    "write the root file system",
    () => rootImage({ tools, layers, folder: target, seed: assembly.seed, epoch }),
    ({ bytes }) => formatBytes(bytes),
  );
  const words = commandLine(sources.commandLine, { version, variant, root });
  const efi = await asStep(progress, "write the unified kernel image", async () => {
    await runCommand(["cp", kernel.vmlinuz, join(target, "vmlinuz")]);
    const early = await microcode(kernel.root);
    return unifiedKernel({
      tools,
      folder: target,
      vmlinuz: join(target, "vmlinuz"),
      release: kernel.release,
      initrd: await initrd({
        init: assembly.init,
        root: base.root,
        modules: base.initrdModules,
        moduleList: base.moduleList,
      }),
      ...(early === undefined ? {} : { microcode: early }),
      commandLine: words,
      osRelease: osRelease(version, variant, assembly.releaseEpoch),
      epoch,
      ...(secureBoot === undefined ? {} : { secureBoot }),
    });
  });
  await asStep(progress, "write the disk", async () => {
    const loader = await bootLoader(tools, target, secureBoot);
    const { repository } = assembly;
    const entry = bootEntryName({ version });
    const enrolment = secureBoot?.enrolment ?? new Map<string, Uint8Array>();
    await diskImage({ repository, tools, folder: target, kernel: efi, entry, loader, enrolment, epoch });
  });
  await runCommand(["cp", base.packageList, join(target, "packages.txt")]);
  const { architecture } = sources;
  const { bytes, uuid, verity } = root;
  const facts = {
    version,
    variant,
    architecture,
    root: { bytes, uuid, verity },
    epoch,
    kernelRelease: kernel.release,
  };
  await writeFile(join(target, "image.json"), JSON.stringify(facts));
}

/** What lies in a folder that a build has filled. */
export async function builtImage(folder: string): Promise<BuiltImage> {
  const facts = JSON.parse(await readFile(join(folder, "image.json"), "utf8")) as BuiltImage;
  return {
    ...facts,
    folder,
    root: { ...facts.root, path: join(folder, "root.img") },
    kernel: join(folder, "kernel.efi"),
    disk: join(folder, "disk.raw"),
    packageList: join(folder, "packages.txt"),
  };
}
