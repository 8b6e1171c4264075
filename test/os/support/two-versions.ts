// A disk with two versions of one system: the first in slot A, as it was built; the second in slot B, its kernel
// ready on the ESP for a test to make it an entry.
import { copyFile, open, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { buildImage } from "../../../packages/keelson/src/image/build-image.ts";
import type { BuiltImage } from "../../../packages/keelson/src/image/build-image.ts";
import { runCommand } from "../../../packages/keelson/src/local/command.ts";
import { silentProgress } from "../../../packages/keelson/src/local/progress.ts";
import { runTool } from "../../../packages/keelson/src/local/tree/tools-tree.ts";
import { partitions } from "../../../packages/keelson/src/model/os-image.ts";
import { testTools } from "./machine.ts";

const repository = resolve(import.meta.dirname, "../../..");

export interface TwoVersions {
  readonly disk: string;
  readonly first: BuiltImage;
  readonly second: BuiltImage;
  /** Byte offset in a slot of the only place in a version's root where a text lies. */
  offsetOf(version: BuiltImage, text: string): Promise<number>;
}

/** On the ESP: not where the boot loader looks. */
export const stagedKernel = "staged.efi";

/** Builds both, or takes them from the cache, and writes the disk into the folder. */
export async function twoVersions(
  folder: string,
  build: (version: string) => Promise<BuiltImage> = plainImage,
): Promise<TwoVersions> {
  const first = await build("0.1.0");
  const second = await build("0.2.0");
  const disk = join(folder, "disk.raw");
  await runCommand(["cp", "--sparse=always", first.disk, disk]);
  const offsets = await partitionOffsets(disk);
  await runCommand([
    "dd",
    `if=${second.root.path}`,
    `of=${disk}`,
    "bs=1M",
    "conv=notrunc,sparse",
    "oflag=seek_bytes",
    `seek=${offsets.get(partitions.slots.b)}`,
  ]);
  const kernel = join(folder, stagedKernel);
  await copyFile(second.kernel, kernel);
  const esp = `${disk}@@${offsets.get(partitions.esp)}`;
  await runTool(await testTools(), ["mcopy", "-i", esp, kernel, "::/"], { binds: [folder] });
  return { disk, first, second, offsetOf: ({ root }, text) => onlyPlace(root.path, text) };
}

const plainImage = (version: string): Promise<BuiltImage> =>
  buildImage({ repository, variant: "vm", version, progress: silentProgress });

/** First bytes of the partitions by label, from the disk's GPT: entries of 128 bytes from sector 2 on. */
async function partitionOffsets(disk: string): Promise<ReadonlyMap<string, number>> {
  await using file = await open(disk);
  const table = Buffer.alloc(128 * 128);
  await file.read(table, 0, table.length, 1024);
  const offsets = new Map<string, number>();
  for (let at = 0; at < table.length; at += 128) {
    const name = table.toString("utf16le", at + 56, at + 128).replace(/\0+$/, "");
    if (name !== "") offsets.set(name, Number(table.readBigUInt64LE(at + 32)) * 512);
  }
  return offsets;
}

async function onlyPlace(path: string, text: string): Promise<number> {
  const wanted = Buffer.from(text);
  const { size } = await stat(path);
  await using file = await open(path);
  const places: number[] = [];
  const step = 16 << 20;
  const buffer = Buffer.alloc(step + wanted.length);
  for (let position = 0; position < size; position += step) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    const at = buffer.subarray(0, bytesRead).indexOf(wanted);
    if (at >= 0 && at < step) places.push(position + at);
  }
  const [only, ...others] = places;
  if (only === undefined || others.length > 0)
    throw new Error(`"${text}" is in ${path} ${places.length} times`);
  return only;
}
