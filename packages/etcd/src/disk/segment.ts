// One file of the log: a header, then frames, then zeros up to its full length. It is filled with zeros before
// it is used, so that writing a frame changes data blocks only and one O_DSYNC write is all that durability takes.

import { constants } from "node:fs";
import { open, readFile, rename, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EtcdError } from "../errors.ts";
import type { Crc32c } from "./crc32c.ts";
import { damaged, ioError } from "./failure.ts";
import { findFrame, readFrame, type Frame } from "./frame.ts";

export const SEGMENT_HEADER_BYTES = 64;
const MAGIC = Buffer.from("KEELLOG\n", "latin1");
const FORMAT = 1;
const FILL_BYTES = 1 << 18;

/** A segment's place in the sequence and what seeds its checksums. */
export interface SegmentHeader {
  readonly sequence: number;
  readonly salt: number;
}

export function segmentPath(directory: string, sequence: number): string {
  return join(directory, `${String(sequence).padStart(16, "0")}.log`);
}

/** Sequence number of a segment's file name, undefined for other files. */
export function sequenceOf(name: string): number | undefined {
  return /^\d{16}\.log$/.test(name) ? Number.parseInt(name, 10) : undefined;
}

/** Makes an empty segment of `size` bytes, all of it on disk. Throws STORE_IO; nothing is left then. */
export async function createSegment(
  directory: string,
  header: SegmentHeader,
  { size, crc }: { readonly size: number; readonly crc: Crc32c },
): Promise<void> {
  const path = segmentPath(directory, header.sequence);
  const unfinished = `${path}.new`;
  try {
    const file = await open(unfinished, "w");
    try {
      const block = Buffer.alloc(FILL_BYTES);
      for (let at = 0; at < size; at += FILL_BYTES) {
        await writeFully(file, block.subarray(0, Math.min(FILL_BYTES, size - at)), at);
      }
      await writeFully(file, encodeHeader(header, crc), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    await syncDirectory(directory);
  } catch (cause) {
    await unlink(unfinished).catch(() => undefined);
    throw ioError(path, "prepare", cause);
  }
}

/** Opens a segment for writing: what a write reports as written is on disk. */
export async function openForWriting(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDWR | constants.O_DSYNC);
  } catch (cause) {
    throw ioError(path, "open", cause);
  }
}

export interface SegmentContent extends SegmentHeader {
  readonly path: string;
  readonly size: number;
  readonly frames: readonly Frame[];
  /** Where the next frame goes. */
  readonly end: number;
  /** Bytes after `end` that are not zero: a frame that a crash tore, or damage. */
  readonly hasRemains: boolean;
  /** Offset of an intact frame behind the remains: then they are damage for certain. */
  readonly intactBehind: number | undefined;
}

/** Reads a segment. Throws STORE_DAMAGED if its header is not intact. */
export async function readSegment(path: string, sequence: number, crc: Crc32c): Promise<SegmentContent> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw ioError(path, "read", cause);
  });
  const salt = decodeHeader(path, sequence, { bytes, crc });
  const checksum = { crc, salt };
  const frames: Frame[] = [];
  let end = SEGMENT_HEADER_BYTES;
  for (let frame = readFrame(bytes, end, checksum); frame; frame = readFrame(bytes, end, checksum)) {
    frames.push(frame);
    end = frame.end;
  }
  const hasRemains = !isZero(bytes, end);
  const intactBehind = hasRemains ? findFrame(bytes, end + 8, checksum) : undefined;
  return { path, sequence, salt, size: bytes.length, frames, end, hasRemains, intactBehind };
}

/** Overwrites a torn frame with zeros, so that nothing of it can be taken for something later. */
export async function clearRemains(content: SegmentContent): Promise<void> {
  const file = await openForWriting(content.path);
  try {
    const zeros = Buffer.alloc(FILL_BYTES);
    for (let at = content.end; at < content.size; at += FILL_BYTES) {
      await writeFully(file, zeros.subarray(0, Math.min(FILL_BYTES, content.size - at)), at);
    }
  } catch (cause) {
    throw ioError(content.path, "clear the torn end of", cause);
  } finally {
    await file.close();
  }
}

/** Writes all of `bytes`, going on after short writes. */
export async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Makes names in a directory durable: files created, renamed and removed. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Replaces a small file so that after a crash either the old or the new content is there. */
export async function replaceFile(path: string, content: string): Promise<void> {
  const unfinished = `${path}.new`;
  const file = await open(unfinished, "w", 0o600);
  try {
    await writeFully(file, Buffer.from(content), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
  await syncDirectory(dirname(path));
}

function encodeHeader({ sequence, salt }: SegmentHeader, crc: Crc32c): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(FORMAT, 8);
  header.writeUInt32LE(salt, 12);
  header.writeBigUInt64LE(BigInt(sequence), 16);
  header.writeUInt32LE(crc.of(header, 0, SEGMENT_HEADER_BYTES - 4), SEGMENT_HEADER_BYTES - 4);
  return header;
}

function decodeHeader(
  path: string,
  sequence: number,
  { bytes, crc }: { readonly bytes: Buffer; readonly crc: Crc32c },
): number {
  const intact =
    bytes.length >= SEGMENT_HEADER_BYTES &&
    bytes.subarray(0, 8).equals(MAGIC) &&
    crc.of(bytes, 0, SEGMENT_HEADER_BYTES - 4) === bytes.readUInt32LE(SEGMENT_HEADER_BYTES - 4);
  if (!intact) throw damaged(path, 0, "this is not the beginning of a log segment");
  const format = bytes.readUInt32LE(8);
  if (format !== FORMAT) {
    throw new EtcdError(
      "STORE_IO",
      `${path} has log format ${format}, this version reads ${FORMAT}. Start it with the version that wrote it.`,
    );
  }
  if (bytes.readBigUInt64LE(16) !== BigInt(sequence)) throw damaged(path, 16, "it belongs to another place");
  return bytes.readUInt32LE(12);
}

function isZero(bytes: Buffer, from: number): boolean {
  const zeros = Buffer.alloc(1 << 16);
  for (let at = from; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (!part.equals(zeros.subarray(0, part.length))) return false;
  }
  return true;
}
