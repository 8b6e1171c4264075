// `keel os export`: a build's disk in the forms that others take. Nothing has its name before it is complete and
// checked; nothing that is there is overwritten unasked.
import { existsSync } from "node:fs";
import { mkdtemp, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { asStep, formatBytes } from "../../local/progress.ts";
import type { Progress } from "../../local/progress.ts";
import { toolsTree } from "../../local/tree/tools-tree.ts";
import { findRaw, readBuildDisk, takeApart } from "../disk/build-disk.ts";
import type { BuildDisk, BuildParts } from "../disk/build-disk.ts";
import { readFully } from "../disk/sparse-copy.ts";
import { makeGce, makeOva } from "./archive-formats.ts";
import {
  hashFile,
  makeDynamicVhd,
  makeOpenStack,
  makeQcow2,
  makeRaw,
  makeVhd,
  makeVhdx,
  makeVmdk,
} from "./disk-formats.ts";
import { formatFacts } from "./formats.ts";
import type { ExportFormat } from "./formats.ts";
import type { Make, Making } from "./making.ts";
import { makeIso, makePxe } from "./media-formats.ts";
import { stageDisk } from "./stage.ts";

const makers: Readonly<Record<ExportFormat, Make>> = {
  raw: makeRaw,
  qcow2: makeQcow2,
  openstack: makeOpenStack,
  vhd: makeVhd,
  "vhd-dynamic": makeDynamicVhd,
  vhdx: makeVhdx,
  vmdk: makeVmdk,
  ova: makeOva,
  gce: makeGce,
  iso: makeIso,
  pxe: makePxe,
};

export interface ExportOptions {
  /** The root of the checkout: the image tools are made from it. */
  readonly repository: string;
  readonly cacheDirectory?: string;
  readonly format: ExportFormat;
  /** A build's folder, or its raw disk. */
  readonly input: string;
  /** The file or folder to be made, or a folder in which it gets its usual name. */
  readonly output: string;
  readonly force?: boolean;
  /** A first-boot configuration that goes along. */
  readonly cloudConfig?: Uint8Array;
  readonly installTo?: string;
  readonly signing?: Making["signing"];
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

export interface ExportResult {
  readonly format: ExportFormat;
  readonly path: string;
  readonly version: string;
  readonly variant: string;
  readonly architecture: string;
  /** Of the file as it is told, and as it lies on the disk; of a folder, of all its files. */
  readonly bytes: number;
  readonly storedBytes: number;
  /** Of the disk that is in it. */
  readonly diskBytes: number;
  /** Of each file, by its name. */
  readonly sha256: Readonly<Record<string, string>>;
}

/** Makes one format of a build. Needs root. KEEL-351 to KEEL-354 */
export async function exportImage(options: ExportOptions): Promise<ExportResult> {
  const { format, progress, signal } = options;
  const tools = await toolsTree(options);
  const disk = await readBuildDisk(await findRaw(resolve(options.input)));
  const target = resolve(options.output);
  const isFolder = existsSync(target) && (await stat(target)).isDirectory() && !target.endsWith(".pxe");
  const parent = isFolder ? target : dirname(target);
  await checkRoom(parent, disk);
  const work = await mkdtemp(join(parent, ".keelson-export-"));
  try {
    const folder = await mkdtemp(join(work, "esp-"));
    const build = await takeApart(disk, tools, folder);
    const { version, variant, architecture } = build.name;
    const name = `keelson_${version}_${variant}_${architecture}`;
    const output = isFolder ? join(target, `${name}.${formatFacts[format].extension}`) : target;
    if (existsSync(output) && options.force !== true)
      throw new KeelError("KEEL-352", `${output} is there already`, { hint: "another name, or --force" });
    const diskBytes = await asStep(
      progress,
      `export ${format}`,
      async (step) => {
        const staged = await stage(build, { ...options, tools, work, step });
        const making: Making = {
          tools,
          build,
          work,
          disk: staged,
          name,
          step,
          made: await buildTime(build),
          ...(options.cloudConfig === undefined ? {} : { cloudConfig: options.cloudConfig }),
          ...(options.installTo === undefined ? {} : { installTo: options.installTo }),
          ...(options.signing === undefined ? {} : { signing: options.signing }),
          ...(signal === undefined ? {} : { signal }),
        };
        const fresh = join(work, "output");
        await makers[format](making, fresh);
        await putInPlace(fresh, output);
        return staged.bytes;
      },
      () => basename(output),
    );
    return { format, path: output, version, variant, architecture, diskBytes, ...(await facts(output)) };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

interface StageContext extends ExportOptions {
  readonly tools: string;
  readonly work: string;
  readonly step: Making["step"];
}

/** The build's own disk where nothing is to be changed, and where nobody writes to it. */
async function stage(build: BuildParts, context: StageContext): Promise<Making["disk"]> {
  const { format, cloudConfig, tools, work, step, signal } = context;
  const { multiple } = formatFacts[format];
  const isLive = format === "iso" || format === "pxe";
  const fits = build.bytes % multiple === 0;
  if (isLive || (fits && cloudConfig === undefined && format !== "raw" && format !== "vhd"))
    return { path: build.path, bytes: build.bytes };
  const path = join(work, "disk.raw");
  const bytes = await stageDisk(build, path, {
    tools,
    work,
    multiple,
    made: await buildTime(build),
    onBytes: (done, total) => step.update(`copied ${formatBytes(done)} of ${formatBytes(total)}`),
    ...(cloudConfig === undefined ? {} : { cloudConfig }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { path, bytes };
}

/** The time that the root file system carries: erofs's superblock, `build_time`. */
async function buildTime(build: BuildDisk): Promise<number> {
  const superblock = Buffer.alloc(128);
  const file = await open(build.path, "r");
  try {
    await readFully(file, superblock, build.root.offset + 1024);
  } finally {
    await file.close();
  }
  const seconds = superblock.readBigUInt64LE(24);
  return seconds < 2n ** 32n ? Number(seconds) : 0;
}

/** Twice what the disk takes: once as it is changed, once as it is exported. KEEL-353 */
async function checkRoom(folder: string, disk: BuildDisk): Promise<void> {
  const room = await statfs(folder).catch((cause: unknown) => {
    throw new KeelError("KEEL-353", `${folder} is no folder that can be written to`, { cause });
  });
  const free = room.bavail * room.bsize;
  const needed = (await stat(disk.path)).blocks * 512 * 2 + (64 << 20);
  if (free < needed)
    throw new KeelError(
      "KEEL-353",
      `${folder} has ${formatBytes(free)} free, ${formatBytes(needed)} are needed`,
    );
}

/** A folder that is there is moved aside first: a rename replaces only files. */
async function putInPlace(fresh: string, output: string): Promise<void> {
  const isFolder = (await stat(fresh)).isDirectory();
  if (!isFolder) {
    const file = await open(fresh, "r+");
    await file.sync();
    await file.close();
  }
  if (existsSync(output) && (isFolder || (await stat(output)).isDirectory()))
    await rename(output, `${fresh}.old`);
  await rename(fresh, output);
}

async function facts(output: string): Promise<Pick<ExportResult, "bytes" | "storedBytes" | "sha256">> {
  const isFolder = (await stat(output)).isDirectory();
  const paths = isFolder ? (await readdir(output)).toSorted().map((name) => join(output, name)) : [output];
  let bytes = 0;
  let storedBytes = 0;
  const sha256: Record<string, string> = {};
  for (const path of paths) {
    const info = await stat(path);
    bytes += info.size;
    storedBytes += info.blocks * 512;
    sha256[basename(path)] = await hashFile(path);
  }
  return { bytes, storedBytes, sha256 };
}
