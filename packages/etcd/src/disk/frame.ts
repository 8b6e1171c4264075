// A frame is what one write puts on disk: the records of one batch under one checksum. Frames start at multiples
// of eight bytes. A crash can tear the last frame only, since a frame is written after the one before is on disk.
//
//   magic u32 | length of payload u32 | index of first record u64 | records u32 | CRC-32C u32 | payload
//   payload: for each record  length of body u32 | kind u8 | body
//
// All numbers are little-endian. The checksum covers everything but itself and starts from the segment's salt, so
// that nothing that a client can write looks like a frame, nor does a frame of another file.

import type { Crc32c } from "./crc32c.ts";

export const FRAME_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 5;
const MAGIC = 0x4c45454b;
const CHECKSUM_AT = 20;

/** One change of the store as the log keeps it. What `kind` and `body` mean is the server's matter. */
export interface LogRecord {
  readonly kind: number;
  readonly body: Uint8Array;
}

export interface Frame {
  /** Index of its first record. */
  readonly index: number;
  readonly records: readonly LogRecord[];
  /** Offset of the next frame. */
  readonly end: number;
}

/** Bytes that a record adds to a frame. */
export function recordBytes(record: LogRecord): number {
  return RECORD_HEADER_BYTES + record.body.length;
}

/** Rounds up to where the next frame may start. */
export function alignFrame(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}

/** Writes a frame to the start of `target`, which is large enough, and returns its length, padding included. */
export function writeFrame(
  target: Buffer,
  frame: { readonly index: number; readonly records: readonly LogRecord[] },
  checksum: { readonly crc: Crc32c; readonly salt: number },
): number {
  let at = FRAME_HEADER_BYTES;
  for (const { kind, body } of frame.records) {
    target.writeUInt32LE(body.length, at);
    target[at + 4] = kind;
    target.set(body, at + RECORD_HEADER_BYTES);
    at += RECORD_HEADER_BYTES + body.length;
  }
  target.writeUInt32LE(MAGIC, 0);
  target.writeUInt32LE(at - FRAME_HEADER_BYTES, 4);
  target.writeUInt32LE(frame.index >>> 0, 8);
  target.writeUInt32LE(Math.floor(frame.index / 2 ** 32), 12);
  target.writeUInt32LE(frame.records.length, 16);
  target.writeUInt32LE(checksumOf(target, at, checksum), CHECKSUM_AT);
  const end = alignFrame(at);
  target.fill(0, at, end);
  return end;
}

/** The frame at `offset`, or undefined if there is no intact one. */
export function readFrame(
  bytes: Buffer,
  offset: number,
  checksum: { readonly crc: Crc32c; readonly salt: number },
): Frame | undefined {
  if (offset + FRAME_HEADER_BYTES > bytes.length || bytes.readUInt32LE(offset) !== MAGIC) return undefined;
  const end = offset + FRAME_HEADER_BYTES + bytes.readUInt32LE(offset + 4);
  if (end > bytes.length) return undefined;
  const whole = bytes.subarray(offset, end);
  if (checksumOf(whole, whole.length, checksum) !== whole.readUInt32LE(CHECKSUM_AT)) return undefined;
  const index = whole.readUInt32LE(8) + whole.readUInt32LE(12) * 2 ** 32;
  const count = whole.readUInt32LE(16);
  const records: LogRecord[] = [];
  let at = FRAME_HEADER_BYTES;
  while (records.length < count) {
    const length = whole.readUInt32LE(at);
    const kind = whole[at + 4] as number;
    const start = at + RECORD_HEADER_BYTES;
    records.push({ kind, body: whole.subarray(start, start + length) });
    at = start + length;
  }
  return { index, records, end: alignFrame(end) };
}

/** Offset of the first intact frame after `offset`, wherever it may start; undefined if there is none. */
export function findFrame(
  bytes: Buffer,
  offset: number,
  checksum: { readonly crc: Crc32c; readonly salt: number },
): number | undefined {
  for (let at = alignFrame(offset); at + FRAME_HEADER_BYTES <= bytes.length; at += 8) {
    if (bytes.readUInt32LE(at) === MAGIC && readFrame(bytes, at, checksum) !== undefined) return at;
  }
  return undefined;
}

function checksumOf(
  frame: Uint8Array,
  length: number,
  { crc, salt }: { readonly crc: Crc32c; readonly salt: number },
): number {
  return crc.of(frame, FRAME_HEADER_BYTES, length, crc.of(frame, 0, CHECKSUM_AT, salt));
}
