// One file of the log: a header, then frames, then zeros up to its full length. It is filled with zeros before
// it is used, so that writing a frame changes data blocks only and one O_DSYNC write is all that durability takes.

import { join } from "node:path";
import type { Crc32c } from "./crc32c.ts";
import { replaceFile, writeFully, type Disk, type DiskFile } from "./disk.ts";
import { damaged, ioError, otherFormat } from "./failure.ts";
import { findFrame, readFrame, type Frame } from "./frame.ts";

/** Files and how what is in them is checked. */
export interface Medium {
  readonly disk: Disk;
  readonly crc: Crc32c;
}

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
  { size, disk, crc }: Medium & { readonly size: number },
): Promise<void> {
  const path = segmentPath(directory, header.sequence);
  try {
    await replaceFile(disk, path, async (file) => {
      const block = Buffer.alloc(FILL_BYTES);
      for (let at = 0; at < size; at += FILL_BYTES) {
        await writeFully(file, block.subarray(0, Math.min(FILL_BYTES, size - at)), at);
      }
      await writeFully(file, encodeHeader(header, crc), 0);
    });
  } catch (cause) {
    throw ioError(path, "prepare", cause);
  }
}

export interface SegmentContent extends SegmentHeader {
  readonly path: string;
  readonly size: number;
  readonly frames: readonly Frame[];
  /** Where the next frame goes. */
  readonly end: number;
  /** The whole file, which the frames are parts of. */
  readonly bytes: Buffer;
  /** The last frame as it was read, in memory of its own. */
  readonly lastFrame: { readonly offset: number; readonly bytes: Buffer } | undefined;
  /** Bytes after `end` that are not zero: a frame that a crash tore, or damage. */
  readonly hasRemains: boolean;
  /** Offset of an intact frame behind the remains: then they are damage for certain. */
  readonly intactBehind: number | undefined;
}

/** Reads a segment. Throws STORE_DAMAGED if its header is not intact. */
export async function readSegment(
  path: string,
  sequence: number,
  { disk, crc }: Medium,
): Promise<SegmentContent> {
  const bytes = await disk.read(path).catch((cause: unknown) => {
    throw ioError(path, "read", cause);
  });
  const salt = decodeHeader(path, sequence, { bytes, crc });
  const checksum = { crc, salt };
  const frames: Frame[] = [];
  let end = SEGMENT_HEADER_BYTES;
  let lastOffset = 0;
  for (let frame = readFrame(bytes, end, checksum); frame; frame = readFrame(bytes, end, checksum)) {
    frames.push(frame);
    lastOffset = end;
    end = frame.end;
  }
  const lastFrame =
    lastOffset === 0
      ? undefined
      : { offset: lastOffset, bytes: Buffer.concat([bytes.subarray(lastOffset, end)]) };
  const hasRemains = !isZero(bytes, end);
  const intactBehind = hasRemains ? findFrame(bytes, end + 8, checksum) : undefined;
  const size = bytes.length;
  return { path, sequence, salt, size, frames, end, bytes, lastFrame, hasRemains, intactBehind };
}

/** Overwrites a torn frame with zeros, so that nothing of it can be taken for something later. Throws STORE_IO. */
export async function clearRemains({ path, end, size }: SegmentContent, disk: Disk): Promise<void> {
  await writeDurably(path, disk, async (file) => {
    const zeros = Buffer.alloc(FILL_BYTES);
    for (let at = end; at < size; at += FILL_BYTES) {
      await writeFully(file, zeros.subarray(0, Math.min(FILL_BYTES, size - at)), at);
    }
  });
}

/** Writes the last frame again: what was read may lie in the system's cache only. Throws STORE_IO. */
export async function confirmLastFrame({ path, lastFrame }: SegmentContent, disk: Disk): Promise<void> {
  if (lastFrame === undefined) return;
  await writeDurably(path, disk, (file) => writeFully(file, lastFrame.bytes, lastFrame.offset));
}

async function writeDurably(
  path: string,
  disk: Disk,
  work: (file: DiskFile) => Promise<void>,
): Promise<void> {
  try {
    const file = await disk.openDurable(path);
    try {
      await work(file);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw ioError(path, "mend the end of", cause);
  }
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
  if (format !== FORMAT) throw otherFormat(path, "log format", [format, FORMAT]);
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
