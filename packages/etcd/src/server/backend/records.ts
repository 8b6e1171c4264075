// A version of a key as etcd's database has it: under its revision, a KeyValue message; a tombstone's has nothing
// but the key.

import type { Version } from "../../keyspace/version.ts";
import { bytesField } from "../../keyspace/wire.ts";

export const TOMBSTONE_MARK = "t";

/** 8 bytes main, "_", 8 bytes sub, both big-endian, and "t" for a tombstone. */
export function revisionKey(version: Pick<Version, "main" | "sub" | "isTombstone">): string {
  return bigEndian(version.main) + "_" + bigEndian(version.sub) + (version.isTombstone ? TOMBSTONE_MARK : "");
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
