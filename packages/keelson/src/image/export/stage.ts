// The disk as an export needs it: of the right size, and with a first-boot configuration when one was given.
import { open, rm, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { statePaths } from "../../model/os-image.ts";
import type { BuildDisk } from "../disk/build-disk.ts";
import { tableSpace, writeTable } from "../disk/partition-table.ts";
import { copySparse, writeFully } from "../disk/sparse-copy.ts";
import { runTool } from "../../local/tree/tools-tree.ts";

export interface StageOptions {
  readonly tools: string;
  /** An empty folder for temporary files. */
  readonly work: string;
  readonly multiple: number;
  readonly cloudConfig?: Uint8Array;
  /** Seconds since 1970, for times inside of the disk. */
  readonly made: number;
  readonly onBytes?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** A copy of the disk at `target`, sparse. */
export async function stageDisk(disk: BuildDisk, target: string, options: StageOptions): Promise<number> {
  const { multiple, cloudConfig, onBytes, signal } = options;
  const bytes = Math.ceil(disk.bytes / multiple) * multiple;
  const source = await open(disk.path, "r");
  const file = await open(target, "wx", 0o644);
  try {
    await copySparse(source, file, {
      length: disk.bytes,
      ...(onBytes === undefined ? {} : { onBytes: (done) => onBytes(done, disk.bytes) }),
      ...(signal === undefined ? {} : { signal }),
    });
    await file.truncate(bytes);
    if (bytes !== disk.bytes) await moveTable(disk, file, bytes);
  } finally {
    await source.close();
    await file.close();
  }
  if (cloudConfig !== undefined) await seedState(disk, target, { ...options, cloudConfig });
  return bytes;
}

/** The table's copy stands at the very end of a disk. */
async function moveTable(
  disk: BuildDisk,
  file: Awaited<ReturnType<typeof open>>,
  bytes: number,
): Promise<void> {
  const old = tableSpace(disk.table.sectorBytes).tail;
  await writeFully(file, Buffer.alloc(old), disk.bytes - old);
  const { head, tail } = writeTable(disk.table, bytes);
  await writeFully(file, head, 0);
  await writeFully(file, tail, bytes - tail.length);
}

/** debugfs's commands that put a file into the state partition with all its folders, for root only. */
export function seedScript(file: string): string {
  const path = statePaths.seed.replace(/^\/var\//, "");
  const folders = dirname(path)
    .split("/")
    .map((_, index, parts) => parts.slice(0, index + 1).join("/"));
  return [
    ...folders.map((folder) => `mkdir ${folder}`),
    `rm ${path}`,
    `write ${file} ${path}`,
    `set_inode_field ${path} mode 0100600`,
    `set_inode_field ${path} uid 0`,
    `set_inode_field ${path} gid 0`,
    "",
  ].join("\n");
}

async function seedState(
  disk: BuildDisk,
  path: string,
  { tools, work, cloudConfig, made }: StageOptions & { readonly cloudConfig: Uint8Array },
): Promise<void> {
  const seed = join(work, "user-data");
  const script = join(work, "debugfs");
  await writeFile(seed, cloudConfig, { mode: 0o600 });
  await writeFile(script, seedScript(seed));
  const image = `${path}?offset=${disk.state.offset}`;
  const binds = [work, dirname(path)];
  const environment = ["env", `SOURCE_DATE_EPOCH=${made}`];
  try {
    await runTool(tools, [...environment, "debugfs", "-w", "-f", script, image], { binds });
    const inside = statePaths.seed.replace(/^\/var/, "");
    const read = await runTool(tools, ["debugfs", "-R", `cat ${inside}`, image], { binds });
    if (read !== Buffer.from(cloudConfig).toString("utf8")) {
      throw new KeelError("KEEL-351", "the configuration could not be put into the state partition");
    }
  } finally {
    await rm(seed, { force: true });
    await rm(script, { force: true });
  }
}

/** A sparse file of a size, for tools that fill it. */
export async function makeSparse(path: string, bytes: number): Promise<void> {
  await writeFile(path, "", { flag: "wx" });
  await truncate(path, bytes);
}
