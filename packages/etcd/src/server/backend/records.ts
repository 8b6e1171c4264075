// A version of a key as etcd's database has it: under its revision, a KeyValue message; a tombstone's has nothing
// but the key.

import type { Version } from "../../keyspace/version.ts";
import { bytesField } from "../../keyspace/wire.ts";

export const TOMBSTONE_MARK = "t";

/** 8 bytes main, "_", 8 bytes sub, both big-endian, and "t" for a tombstone. */
export function revisionKey(version: Pick<Version, "main" | "sub" | "isTombstone">): string {
  return bigEndian(version.main) + "_" + bigEndian(version.sub) + (version.isTombstone ? TOMBSTONE_MARK : "");
}

/** Bytes of a revision's key at most. */
export const MOST_KEY_BYTES = 18;

/** Writes the same key; returns where it ends. */
export function writeRevisionKey(target: Buffer, at: number, version: Version): number {
  target.writeUInt32BE(Math.floor(version.main / 2 ** 32), at);
  target.writeUInt32BE(version.main >>> 0, at + 4);
  target[at + 8] = "_".charCodeAt(0);
  target.writeUInt32BE(Math.floor(version.sub / 2 ** 32), at + 9);
  target.writeUInt32BE(version.sub >>> 0, at + 13);
  if (!version.isTombstone) return at + 17;
  target[at + 17] = TOMBSTONE_MARK.charCodeAt(0);
  return at + 18;
}

export function recordOf(version: Version): string {
  return version.isTombstone ? bytesField("\x0a", version.key) : version.encoded;
}

/** 8 bytes of a number from 0 to 2^53. */
export function bigEndian(value: number): string {
  const high = Math.floor(value / 2 ** 32);
  const low = value >>> 0;
  const half = (bits: number): string =>
    String.fromCharCode(bits >>> 24, (bits >>> 16) & 0xff, (bits >>> 8) & 0xff, bits & 0xff);
  return half(high) + half(low);
}

/** The 8 bytes of an id. */
export function bigEndianId(id: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, id));
  return bytes.toString("latin1");
}
