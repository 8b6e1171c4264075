// GUID partition tables: UEFI specification, section 5.3. Bytes in, bytes out; sectors of 512 or 4096 bytes.
import { crc32 } from "node:zlib";

export interface Partition {
  readonly label: string;
  /** GUIDs in their usual form, lower case. */
  readonly type: string;
  readonly uuid: string;
  /** Bits that the partition's type gives a meaning. */
  readonly attributes: bigint;
  /** Bytes from the beginning of the disk. */
  readonly offset: number;
  readonly bytes: number;
}

export interface PartitionTable {
  readonly uuid: string;
  readonly sectorBytes: number;
  readonly partitions: readonly Partition[];
}

/** GUIDs of the partition types in Keelson's layout: UEFI, and the Discoverable Partitions Specification. */
export const partitionTypes = {
  esp: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
  root: { amd64: "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", arm64: "b921b045-1df0-41c3-af44-4c6f280d3fae" },
  linux: "0fc63daf-8483-4772-8e79-3d69d8477de4",
} as const;

/** Not to be mounted by itself, and only for reading: Discoverable Partitions Specification, "Partition Flags". */
export const slotAttributes = (1n << 63n) | (1n << 60n);

const entryBytes = 128;
const entryCount = 128;
const arrayBytes = entryBytes * entryCount;
const headerBytes = 92;
const signature = Buffer.from("EFI PART");

/** Bytes at each end of a disk that its table takes. */
export const tableSpace = (sectorBytes: number): { readonly head: number; readonly tail: number } => ({
  head: 2 * sectorBytes + arrayBytes,
  tail: sectorBytes + arrayBytes,
});

/** GUIDs lie in memory with their first three fields turned round. */
export function guidBytes(text: string): Buffer {
  const plain = Buffer.from(text.replaceAll("-", ""), "hex");
  if (plain.length !== 16) throw new TypeError(`${text} is no GUID`);
  plain.subarray(0, 4).reverse();
  plain.subarray(4, 6).reverse();
  plain.subarray(6, 8).reverse();
  return plain;
}

export function guidText(bytes: Uint8Array): string {
  const plain = Buffer.from(bytes);
  plain.subarray(0, 4).reverse();
  plain.subarray(4, 6).reverse();
  plain.subarray(6, 8).reverse();
  return plain.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/**
 * The table in a disk's first bytes (34 sectors of 512 bytes, or 6 of 4096). Undefined when there is none, or when
 * a checksum or a partition's place is wrong.
 */
export function readTable(head: Buffer, diskBytes: number): PartitionTable | undefined {
  for (const sectorBytes of [512, 4096]) {
    const table = readAt(head, diskBytes, sectorBytes);
    if (table !== undefined) return table;
  }
  return undefined;
}

function readAt(head: Buffer, diskBytes: number, sectorBytes: number): PartitionTable | undefined {
  if (head.length < 2 * sectorBytes + arrayBytes) return undefined;
  const header = Buffer.from(head.subarray(sectorBytes, sectorBytes + headerBytes));
  if (!header.subarray(0, 8).equals(signature) || header.readUInt32LE(12) !== headerBytes) return undefined;
  const sum = header.readUInt32LE(16);
  header.writeUInt32LE(0, 16);
  if (crc32(header) !== sum) return undefined;
  const place = Number(header.readBigUInt64LE(72)) * sectorBytes;
  if (header.readUInt32LE(80) !== entryCount || header.readUInt32LE(84) !== entryBytes) return undefined;
  if (place !== 2 * sectorBytes) return undefined;
  const entries = head.subarray(place, place + arrayBytes);
  if (crc32(entries) !== header.readUInt32LE(88)) return undefined;
  const partitions: Partition[] = [];
  for (let index = 0; index < entryCount; index++) {
    const entry = entries.subarray(index * entryBytes, (index + 1) * entryBytes);
    if (entry.subarray(0, 16).every((byte) => byte === 0)) continue;
    const first = Number(entry.readBigUInt64LE(32));
    const last = Number(entry.readBigUInt64LE(40));
    if (last < first || (last + 1) * sectorBytes > diskBytes) return undefined;
    partitions.push({
      label: entry.subarray(56, 128).toString("utf16le").replace(/\0.*$/s, ""),
      type: guidText(entry.subarray(0, 16)),
      uuid: guidText(entry.subarray(16, 32)),
      attributes: entry.readBigUInt64LE(48),
      offset: first * sectorBytes,
      bytes: (last - first + 1) * sectorBytes,
    });
  }
  return { uuid: guidText(header.subarray(56, 72)), sectorBytes, partitions };
}

/** What lies at a disk's beginning and, as `tail`, at its very end. The disk's length is a multiple of a sector. */
export function writeTable(
  table: PartitionTable,
  diskBytes: number,
): { readonly head: Buffer; readonly tail: Buffer } {
  const { sectorBytes } = table;
  const space = tableSpace(sectorBytes);
  const last = Math.floor(diskBytes / sectorBytes) - 1;
  const arraySectors = arrayBytes / sectorBytes;
  const entries = entryArray(table);
  const header = (own: number, other: number, place: number): Buffer => {
    const bytes = Buffer.alloc(sectorBytes);
    signature.copy(bytes);
    bytes.writeUInt32LE(0x00010000, 8);
    bytes.writeUInt32LE(headerBytes, 12);
    bytes.writeBigUInt64LE(BigInt(own), 24);
    bytes.writeBigUInt64LE(BigInt(other), 32);
    bytes.writeBigUInt64LE(BigInt(2 + arraySectors), 40);
    bytes.writeBigUInt64LE(BigInt(last - arraySectors - 1), 48);
    guidBytes(table.uuid).copy(bytes, 56);
    bytes.writeBigUInt64LE(BigInt(place), 72);
    bytes.writeUInt32LE(entryCount, 80);
    bytes.writeUInt32LE(entryBytes, 84);
    bytes.writeUInt32LE(crc32(entries), 88);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, headerBytes)), 16);
    return bytes;
  };
  const head = Buffer.alloc(space.head);
  protectiveRecord(last).copy(head);
  header(1, last, 2).copy(head, sectorBytes);
  entries.copy(head, 2 * sectorBytes);
  const tail = Buffer.alloc(space.tail);
  entries.copy(tail);
  header(last, 1, last - arraySectors).copy(tail, arrayBytes);
  return { head, tail };
}

function entryArray({ partitions, sectorBytes }: PartitionTable): Buffer {
  const entries = Buffer.alloc(arrayBytes);
  for (const [index, partition] of partitions.entries()) {
    const entry = entries.subarray(index * entryBytes, (index + 1) * entryBytes);
    guidBytes(partition.type).copy(entry, 0);
    guidBytes(partition.uuid).copy(entry, 16);
    entry.writeBigUInt64LE(BigInt(partition.offset / sectorBytes), 32);
    entry.writeBigUInt64LE(BigInt((partition.offset + partition.bytes) / sectorBytes - 1), 40);
    entry.writeBigUInt64LE(partition.attributes, 48);
    entry.write(partition.label.slice(0, 36), 56, "utf16le");
  }
  return entries;
}

/** The old table's one entry, which tells older programs that the disk is taken: section 5.2.3. */
function protectiveRecord(last: number): Buffer {
  const record = Buffer.alloc(512);
  Buffer.from([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]).copy(record, 446);
  record.writeUInt32LE(1, 454);
  record.writeUInt32LE(Math.min(last, 0xffffffff), 458);
  record.writeUInt16LE(0xaa55, 510);
  return record;
}
