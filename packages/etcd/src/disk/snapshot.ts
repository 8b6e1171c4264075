// A snapshot file: the whole state at one index of the log, so that the log before it can go. A header, then
// chunks each under its own checksum, then an empty chunk as the end. Written beside the old one and renamed.
// What the chunks say is the server's matter.

import { join } from "node:path";
import type { Crc32c } from "./crc32c.ts";
import { replaceFile, writeFully, type Disk } from "./disk.ts";
import { damaged, ioError, otherFormat } from "./failure.ts";
import type { Medium } from "./segment.ts";

const MAGIC = Buffer.from("KEELSNAP", "latin1");
const FORMAT = 1;
const HEADER_BYTES = 32;
const CHUNK_HEADER_BYTES = 8;

export interface SnapshotFile {
  /** Index of the last log record that is in it. */
  readonly index: number;
  readonly path: string;
}

/** The snapshots in a directory, newest first. */
export async function listSnapshots(directory: string, disk: Disk): Promise<readonly SnapshotFile[]> {
  const files: SnapshotFile[] = [];
  for (const name of await disk.list(directory)) {
    const match = /^(\d{16})\.snapshot$/.exec(name);
    if (match !== null)
      files.push({ index: Number.parseInt(match[1] as string, 10), path: join(directory, name) });
  }
  return files.sort((a, b) => b.index - a.index);
}

/**
 * Writes a snapshot, a chunk at a time so that nobody waits for it (the next is asked for when the one before is
 * written, and may lie in the same memory), and removes the older ones once it is on
 * disk. Returns its size in bytes. Throws STORE_IO; the older ones are still there then.
 */
export async function writeSnapshot(
  directory: string,
  index: number,
  { chunks, disk, crc }: Medium & { readonly chunks: Iterable<Buffer> },
): Promise<number> {
  const path = join(directory, `${String(index).padStart(16, "0")}.snapshot`);
  let size = HEADER_BYTES;
  try {
    await replaceFile(disk, path, async (file) => {
      await writeFully(file, encodeHeader(index, crc), 0);
      for (const chunk of withEnd(chunks)) {
        await writeFully(file, chunkHeader(chunk, { position: size, crc }), size);
        await writeFully(file, chunk, size + CHUNK_HEADER_BYTES);
        size += CHUNK_HEADER_BYTES + chunk.length;
      }
    });
  } catch (cause) {
    throw ioError(path, "write", cause);
  }
  for (const older of await listSnapshots(directory, disk)) {
    if (older.index < index) await disk.remove(older.path);
  }
  return size;
}

function* withEnd(chunks: Iterable<Buffer>): Iterable<Buffer> {
  yield* chunks;
  yield Buffer.alloc(0);
}

function chunkHeader(chunk: Buffer, { position, crc }: { position: number; crc: Crc32c }): Buffer {
  const header = Buffer.alloc(CHUNK_HEADER_BYTES);
  header.writeUInt32LE(chunk.length, 0);
  // The place is under the checksum too: chunks cannot change places.
  header.writeUInt32LE(crc.of(chunk, 0, chunk.length, position >>> 0), 4);
  return header;
}

export interface SnapshotContent {
  /** The whole file, which the chunks are parts of. */
  readonly bytes: Buffer;
  readonly chunks: readonly Buffer[];
}

/** Reads a snapshot. Throws STORE_DAMAGED with the place where it is not intact. */
export async function readSnapshot(file: SnapshotFile, { disk, crc }: Medium): Promise<SnapshotContent> {
  const bytes = await disk.read(file.path).catch((cause: unknown) => {
    throw ioError(file.path, "read", cause);
  });
  checkHeader(bytes, file, crc);
  const chunks: Buffer[] = [];
  for (let at = HEADER_BYTES; ;) {
    if (at + CHUNK_HEADER_BYTES > bytes.length) throw damaged(file.path, at, "its end is missing");
    const start = at + CHUNK_HEADER_BYTES;
    const end = start + bytes.readUInt32LE(at);
    const intact = end <= bytes.length && crc.of(bytes, start, end, at >>> 0) === bytes.readUInt32LE(at + 4);
    if (!intact) throw damaged(file.path, at, "the checksum is wrong");
    if (end === start) return { bytes, chunks };
    chunks.push(bytes.subarray(start, end));
    at = end;
  }
}

function encodeHeader(index: number, crc: Crc32c): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(FORMAT, 8);
  header.writeBigUInt64LE(BigInt(index), 16);
  header.writeUInt32LE(crc.of(header, 0, HEADER_BYTES - 4), HEADER_BYTES - 4);
  return header;
}

function checkHeader(bytes: Buffer, { path, index }: SnapshotFile, crc: Crc32c): void {
  const intact =
    bytes.length >= HEADER_BYTES &&
    bytes.subarray(0, 8).equals(MAGIC) &&
    crc.of(bytes, 0, HEADER_BYTES - 4) === bytes.readUInt32LE(HEADER_BYTES - 4);
  if (!intact) throw damaged(path, 0, "this is not the beginning of a snapshot");
  const format = bytes.readUInt32LE(8);
  if (format !== FORMAT) throw otherFormat(path, "snapshot format", [format, FORMAT]);
  if (bytes.readBigUInt64LE(16) !== BigInt(index)) throw damaged(path, 16, "its name says another index");
}
