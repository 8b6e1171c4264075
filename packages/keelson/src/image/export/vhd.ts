// The footer of VHD disks: Microsoft's "Virtual Hard Disk Image Format Specification", version 1.0. All numbers are
// big-endian. Azure takes fixed disks, which are the raw disk with a footer behind it, of whole MiB.
import { createHash } from "node:crypto";

export const footerBytes = 512;
const cookie = Buffer.from("conectix");
/** Seconds between 1970 and 2000, from where the format counts. */
const epoch = 946_684_800;
const kinds = { fixed: 2, dynamic: 3 } as const;

export interface VhdFooter {
  readonly kind: keyof typeof kinds;
  /** Of the disk, without the footer. */
  readonly bytes: number;
  /** 16 bytes that differ from disk to disk. */
  readonly identity: Uint8Array;
  /** Seconds since 1970. */
  readonly made: number;
}

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** Appendix "CHS calculation" of the specification. */
export function geometryOf(bytes: number): Geometry {
  let total = Math.floor(bytes / 512);
  const most = 65_535 * 16 * 255;
  if (total > most) total = most;
  if (total >= 65_535 * 16 * 63) return { cylinders: Math.floor(total / 255 / 16), heads: 16, sectors: 255 };
  let sectors = 17;
  let columns = Math.floor(total / sectors);
  let heads = Math.max(4, Math.floor((columns + 1023) / 1024));
  if (columns >= heads * 1024 || heads > 16) {
    sectors = 31;
    heads = 16;
    columns = Math.floor(total / sectors);
  }
  if (columns >= heads * 1024) {
    sectors = 63;
    heads = 16;
    columns = Math.floor(total / sectors);
  }
  return { cylinders: Math.floor(columns / heads), heads, sectors };
}

export function writeFooter({ kind, bytes, identity, made }: VhdFooter): Buffer {
  const footer = Buffer.alloc(footerBytes);
  cookie.copy(footer, 0);
  footer.writeUInt32BE(2, 8);
  footer.writeUInt32BE(0x00010000, 12);
  footer.writeBigUInt64BE(kind === "fixed" ? 2n ** 64n - 1n : BigInt(footerBytes), 16);
  footer.writeUInt32BE(Math.max(0, made - epoch), 24);
  // With this maker the size counts, not the geometry, which cannot express every size.
  footer.write("win ", 28, "ascii");
  footer.writeUInt32BE(0x000a0000, 32);
  footer.write("Wi2k", 36, "ascii");
  footer.writeBigUInt64BE(BigInt(bytes), 40);
  footer.writeBigUInt64BE(BigInt(bytes), 48);
  const { cylinders, heads, sectors } = geometryOf(bytes);
  footer.writeUInt16BE(cylinders, 56);
  footer.writeUInt8(heads, 58);
  footer.writeUInt8(sectors, 59);
  footer.writeUInt32BE(kinds[kind], 60);
  Buffer.from(identity).copy(footer, 68, 0, 16);
  footer.writeUInt32BE(checksum(footer), 64);
  return footer;
}

/** Undefined for what is no footer, or has a wrong checksum. */
export function readFooter(footer: Buffer): (VhdFooter & Geometry) | undefined {
  if (footer.length !== footerBytes || !footer.subarray(0, 8).equals(cookie)) return undefined;
  if (footer.readUInt32BE(64) !== checksum(footer)) return undefined;
  const number = footer.readUInt32BE(60);
  const kind = (["fixed", "dynamic"] as const).find((name) => kinds[name] === number);
  if (kind === undefined) return undefined;
  return {
    kind,
    bytes: Number(footer.readBigUInt64BE(48)),
    identity: new Uint8Array(footer.subarray(68, 84)),
    made: footer.readUInt32BE(24) + epoch,
    cylinders: footer.readUInt16BE(56),
    heads: footer.readUInt8(58),
    sectors: footer.readUInt8(59),
  };
}

/** The complement of the sum of all bytes but the checksum's own. */
function checksum(footer: Buffer): number {
  let sum = 0;
  for (const [at, byte] of footer.entries()) if (at < 64 || at >= 68) sum += byte;
  return ~sum >>> 0;
}

/** The same identity for the same disk, so that two exports of a build are the same bytes. */
export function identityOf(name: string): Uint8Array {
  const bytes = createHash("sha256").update(name).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return new Uint8Array(bytes);
}
