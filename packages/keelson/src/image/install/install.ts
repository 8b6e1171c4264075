// `keel os install`: puts the system on an empty disk. The order is what makes a cut of the power harmless: the table
// says "unfinished" and the ESP is no file system until everything else is on the disk and was read back.
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { CommandError, runCommand, tryCommand } from "../../local/command.ts";
import { asStep, formatBytes } from "../../local/progress.ts";
import type { Progress } from "../../local/progress.ts";
import { partitions, statePaths } from "../../model/os-image.ts";
import { layOutFat } from "../disk/fat.ts";
import type { FatLayout } from "../disk/fat.ts";
import { readTable, tableSpace, writeTable } from "../disk/partition-table.ts";
import type { PartitionTable } from "../disk/partition-table.ts";
import { chunkBytes, copySparse, readFully, writeFully } from "../disk/sparse-copy.ts";
import { VerityHash, verityBytes } from "../disk/verity.ts";
import type { DiskFacts } from "./inspect.ts";
import { objections } from "./inspect.ts";
import { layOut, unfinishedTable } from "./layout.ts";
import type { Layout } from "./layout.ts";
import type { InstallSource } from "./source.ts";

export interface InstallOptions {
  readonly disk: DiskFacts;
  readonly source: InstallSource;
  /** Overwrite what is on the disk. What is in use is never overwritten. */
  readonly force?: boolean;
  /** The first-boot configuration; that of the source when there is none. */
  readonly userData?: Uint8Array;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
}

/** Installs. KEEL-355 for a disk that looks used, KEEL-356 to KEEL-358 as the catalogue says. */
export async function installSystem(options: InstallOptions): Promise<void> {
  const { disk, source, progress, signal } = options;
  refuse(disk, options.force === true);
  const architecture = source.name.architecture === "arm64" ? "arm64" : "amd64";
  const layout = layOut(disk.bytes, disk.sectorBytes, architecture);
  const esp = layOutEsp(source, layout);
  const file = await open(disk.path, "r+");
  try {
    await asStep(progress, `clear ${disk.path}`, () => clear(file, layout, disk.bytes));
    await asStep(
      progress,
      "write the system",
      (step) =>
        writeRoot(file, layout, source, {
          tell: (text) => step.update(text),
          ...(signal === undefined ? {} : { signal }),
        }),
      () => `slot A, ${source.name.version}`,
    );
    const userData = options.userData ?? source.userData;
    await asStep(
      progress,
      "make the state partition",
      () => makeState(disk.path, layout, userData),
      () => (userData === undefined ? "empty" : "with a first-boot configuration"),
    );
    await asStep(progress, "write the boot loader", () => writeEsp(file, esp, source));
    await asStep(progress, "read everything back", async (step) => {
      await forget(file, disk.path);
      await verify(file, { layout, esp, source, tell: (text) => step.update(text) });
    });
    await asStep(progress, "make it start", () => finish(file, { layout, esp, bytes: disk.bytes }));
  } catch (cause) {
    if (cause instanceof KeelError || signal?.aborted === true) throw cause;
    throw new KeelError("KEEL-357", `${disk.path}: ${(cause as Error).message}`, { cause });
  } finally {
    await file.close();
  }
  // The kernel may refuse while something reads the disk; it reads the table at the next start.
  await tryCommand(["blockdev", "--rereadpt", disk.path]).catch(() => undefined);
}

/** KEEL-355 with everything that speaks against overwriting the disk. */
export function refuse(disk: DiskFacts, force: boolean): void {
  const against = objections(disk, force);
  if (against.length === 0) return;
  throw new KeelError("KEEL-355", `${disk.path} looks used: ${against.join("; ")}`, {
    hint: disk.inUse.length > 0 ? "free what is in use first" : "--force, if all of it may be lost",
    details: { inUse: disk.inUse, holds: disk.holds },
  });
}

/** Empties what old signatures may be in, and writes the table of an unfinished disk. */
async function clear(file: FileHandle, { table }: Layout, bytes: number): Promise<void> {
  const zeros = Buffer.alloc(chunkBytes);
  const starts = [0, ...table.partitions.map(({ offset }) => offset)];
  for (const at of starts) await writeFully(file, zeros, at);
  await writeFully(file, zeros, bytes - zeros.length);
  await file.sync();
  await putTable(file, unfinishedTable(table), bytes);
}

/** The copy at the end first: the one at the beginning decides. */
async function putTable(file: FileHandle, table: PartitionTable, bytes: number): Promise<void> {
  const { head, tail } = writeTable(table, bytes);
  await writeFully(file, tail, bytes - tail.length);
  await file.sync();
  await writeFully(file, head, 0);
  await file.sync();
}

interface Telling {
  readonly tell: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** Copies the root and proves it against the kernel image as it passes. KEEL-358 */
async function writeRoot(
  file: FileHandle,
  { root }: Layout,
  { root: source, kernel }: InstallSource,
  { tell, signal }: Telling,
): Promise<void> {
  const { verity } = kernel;
  const length = verityBytes(verity.blocks);
  if (length > root.bytes) throw new KeelError("KEEL-358", "the root image is larger than a slot");
  const hash = new VerityHash(verity);
  const from = await open(source.path, "r");
  try {
    await copySparse(from, file, {
      from: source.offset,
      to: root.offset,
      length,
      whole: true,
      onChunk: (chunk) => hash.update(chunk),
      onBytes: (done) => tell(`${formatBytes(done)} of ${formatBytes(length)}`),
      ...(signal === undefined ? {} : { signal }),
    });
  } finally {
    await from.close();
  }
  if (hash.finish() !== verity.hash)
    throw new KeelError("KEEL-358", "the root image is not the one that its kernel image names");
  await file.sync();
}

function layOutEsp({ esp }: InstallSource, { esp: place, table }: Layout): FatLayout {
  return layOutFat(
    esp.map(({ path, content }) => ({ path, bytes: content.length })),
    {
      bytes: place.bytes,
      sectorBytes: table.sectorBytes,
      label: "KEELSON-ESP",
      serial: randomBytes(4).readUInt32LE(0),
      offset: place.offset,
    },
  );
}

/** All but the first sectors, without which it is no file system. */
async function writeEsp(file: FileHandle, layout: FatLayout, { esp }: InstallSource): Promise<void> {
  for (const { offset, data } of layout.pieces.slice(1)) await writeFully(file, data, offset);
  for (const [index, { content }] of esp.entries())
    await writeFully(file, content, layout.files[index]?.offset ?? 0);
  await file.sync();
}

/** An ext4 with the configuration in it, as provisioning finds it. */
async function makeState(path: string, { state }: Layout, userData: Uint8Array | undefined): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "keelson-install-"));
  try {
    const folder = join(work, "state");
    await mkdir(folder, { mode: 0o755 });
    if (userData !== undefined) {
      const seed = join(folder, statePaths.seed.replace(/^\/var\//, ""));
      await mkdir(dirname(seed), { recursive: true, mode: 0o755 });
      await writeFile(seed, userData, { mode: 0o600 });
    }
    const features = ["-E", `offset=${state.offset},nodiscard`];
    const argv = ["mkfs.ext4", "-q", "-F", "-L", partitions.state, ...features, "-d", folder];
    await runCommand([...argv, path, `${Math.floor(state.bytes / 1024)}k`]);
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    throw new KeelError("KEEL-357", `the state partition could not be made: ${cause.message}`, { cause });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What was written is read from the disk, not from memory. */
async function forget(file: FileHandle, path: string): Promise<void> {
  await file.sync();
  if ((await file.stat()).isBlockDevice()) await runCommand(["blockdev", "--flushbufs", path]);
}

interface Verification {
  readonly layout: Layout;
  readonly esp: FatLayout;
  readonly source: InstallSource;
  readonly tell: (text: string) => void;
}

async function verify(file: FileHandle, { layout, esp, source, tell }: Verification): Promise<void> {
  const bytes = verityBytes(source.kernel.verity.blocks);
  const original = await open(source.root.path, "r");
  try {
    const buffers = { read: Buffer.allocUnsafe(chunkBytes), wanted: Buffer.allocUnsafe(chunkBytes) };
    for (let at = 0; at < bytes; at += chunkBytes) {
      const length = Math.min(chunkBytes, bytes - at);
      const read = buffers.read.subarray(0, length);
      const wanted = buffers.wanted.subarray(0, length);
      await readFully(file, read, layout.root.offset + at);
      await readFully(original, wanted, source.root.offset + at);
      if (!read.equals(wanted))
        throw new KeelError("KEEL-357", "the disk does not give back what was written to slot A");
      tell(`${formatBytes(at + length)} of ${formatBytes(bytes)}`);
    }
  } finally {
    await original.close();
  }
  for (const [index, { path, content }] of source.esp.entries()) {
    const read = Buffer.alloc(content.length);
    await readFully(file, read, esp.files[index]?.offset ?? 0);
    if (!read.equals(content))
      throw new KeelError("KEEL-357", `the disk does not give back what was written to the ESP: ${path}`);
  }
}

interface Finish {
  readonly layout: Layout;
  readonly esp: FatLayout;
  readonly bytes: number;
}

/** From here on firmware finds a boot loader, and the system its partitions. */
async function finish(file: FileHandle, { layout, esp, bytes }: Finish): Promise<void> {
  const first = esp.pieces[0];
  if (first === undefined) throw new TypeError("a file system begins with its boot sector");
  await putTable(file, layout.table, bytes);
  await writeFully(file, first.data, first.offset);
  await file.sync();
  const head = Buffer.alloc(tableSpace(layout.table.sectorBytes).head);
  await readFully(file, head, 0);
  if (readTable(head, bytes)?.uuid !== layout.table.uuid)
    throw new KeelError("KEEL-357", "the disk does not give back its partition table");
}
