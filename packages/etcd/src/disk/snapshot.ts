// A snapshot file: the whole state at one index of the log, so that the log before it can go. A header, then
// chunks each under its own checksum, then an empty chunk as the end. Written beside the old one and renamed.
// What the chunks say is the server's matter.

import { open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { EtcdError } from "../errors.ts";
import type { Crc32c } from "./crc32c.ts";
import { damaged, ioError } from "./failure.ts";
import { syncDirectory, writeFully } from "./segment.ts";

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
export async function listSnapshots(directory: string): Promise<readonly SnapshotFile[]> {
  const files: SnapshotFile[] = [];
  for (const name of await readdir(directory)) {
    const match = /^(\d{16})\.snapshot$/.exec(name);
    if (match !== null)
      files.push({ index: Number.parseInt(match[1] as string, 10), path: join(directory, name) });
  }
  return files.sort((a, b) => b.index - a.index);
}

/**
 * Writes a snapshot, a chunk at a time so that nobody waits for it, and removes the older ones once it is on
 * disk. Returns its size in bytes. Throws STORE_IO; the older ones are still there then.
 */
export async function writeSnapshot(
  directory: string,
  index: number,
  { chunks, crc }: { readonly chunks: Iterable<Buffer>; readonly crc: Crc32c },
): Promise<number> {
  const path = join(directory, `${String(index).padStart(16, "0")}.snapshot`);
  const unfinished = `${path}.new`;
  let at = HEADER_BYTES;
  try {
    const file = await open(unfinished, "w", 0o600);
    try {
      await writeFully(file, encodeHeader(index, crc), 0);
      for (const chunk of chunks) at = await writeChunk(chunk, at);
      at = await writeChunk(Buffer.alloc(0), at);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    await syncDirectory(directory);

    async function writeChunk(chunk: Buffer, position: number): Promise<number> {
      const header = Buffer.alloc(CHUNK_HEADER_BYTES);
      header.writeUInt32LE(chunk.length, 0);
      // The place is under the checksum too: chunks cannot change places.
      header.writeUInt32LE(crc.of(chunk, 0, chunk.length, position >>> 0), 4);
      await writeFully(file, Buffer.concat([header, chunk]), position);
      return position + CHUNK_HEADER_BYTES + chunk.length;
    }
  } catch (cause) {
    await unlink(unfinished).catch(() => undefined);
    throw ioError(path, "write", cause);
  }
  for (const older of await listSnapshots(directory)) {
    if (older.index < index) await unlink(older.path);
  }
  return at;
}

/** The chunks of a snapshot. Throws STORE_DAMAGED with the place where it is not intact. */
export async function readSnapshot(file: SnapshotFile, crc: Crc32c): Promise<readonly Buffer[]> {
  const bytes = await readFile(file.path).catch((cause: unknown) => {
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
    if (end === start) return chunks;
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
  if (format !== FORMAT) {
    throw new EtcdError(
      "STORE_IO",
      `${path} has snapshot format ${format}, this version reads ${FORMAT}. Start it with the version that wrote it.`,
    );
  }
  if (bytes.readBigUInt64LE(16) !== BigInt(index)) throw damaged(path, 16, "its name says another index");
}
