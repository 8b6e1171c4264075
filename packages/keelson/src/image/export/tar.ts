// Tape archives, as far as exports need them: plain members, and sparse ones in the old GNU form, which is the only
// one that Google's importer takes. Owners, modes and times are the same in every archive.

const blockBytes = 512;
/** Places in a sparse member's header, and in each block behind it. */
const firstPlaces = 4;
const morePlaces = 21;

/** A run of data in a sparse member. */
export interface Extent {
  readonly offset: number;
  readonly bytes: number;
}

export interface TarMember {
  readonly name: string;
  /** Of the content; of a sparse member with its holes. */
  readonly bytes: number;
  /** Seconds since 1970. */
  readonly made: number;
}

/** Behind the last member. */
export const tarEnd = Buffer.alloc(2 * blockBytes);

/** Zeros that follow so many bytes of content. */
export function tarPadding(bytes: number): Buffer {
  return Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);
}

/** The header of a plain member: POSIX.1-1988, which every reader takes. */
export function plainHeader({ name, bytes, made }: TarMember): Buffer {
  const header = commonHeader(name, bytes, made);
  header.write("0", 156, "ascii");
  header.write("ustar\u000000", 257, "latin1");
  return withChecksum(header);
}

/** The header of a sparse member and the blocks with the rest of its map. What follows is the data of its runs. */
export function sparseHeader(member: TarMember, extents: readonly Extent[]): Buffer {
  // A hole at the end is told by an empty run there.
  const last = extents.at(-1);
  const isShort = last === undefined || last.offset + last.bytes < member.bytes;
  const places = isShort ? [...extents, { offset: member.bytes, bytes: 0 }] : extents;
  const stored = extents.reduce((sum, { bytes }) => sum + bytes, 0);
  const header = commonHeader(member.name, stored, member.made);
  header.write("S", 156, "ascii");
  header.write("ustar  \0", 257, "latin1");
  writePlaces(header, 386, places.slice(0, firstPlaces));
  writeNumber(header, 483, 12, member.bytes);
  const blocks: Buffer[] = [];
  for (let at = firstPlaces; at < places.length; at += morePlaces) {
    const block = Buffer.alloc(blockBytes);
    writePlaces(block, 0, places.slice(at, at + morePlaces));
    if (at + morePlaces < places.length) block[504] = 1;
    blocks.push(block);
  }
  if (blocks.length > 0) header[482] = 1;
  return Buffer.concat([withChecksum(header), ...blocks]);
}

function writePlaces(block: Buffer, at: number, places: readonly Extent[]): void {
  for (const [index, { offset, bytes }] of places.entries()) {
    writeNumber(block, at + index * 24, 12, offset);
    writeNumber(block, at + index * 24 + 12, 12, bytes);
  }
}

function commonHeader(name: string, bytes: number, made: number): Buffer {
  if (Buffer.byteLength(name) > 100) throw new RangeError(`${name} is too long for an archive`);
  const header = Buffer.alloc(blockBytes);
  header.write(name, 0, "utf8");
  writeNumber(header, 100, 8, 0o644);
  writeNumber(header, 108, 8, 0);
  writeNumber(header, 116, 8, 0);
  writeNumber(header, 124, 12, bytes);
  writeNumber(header, 136, 12, made);
  return header;
}

/** Octal digits and a zero byte; what has no room so is binary with the highest bit set, as GNU does. */
function writeNumber(header: Buffer, at: number, width: number, value: number): void {
  const text = value.toString(8).padStart(width - 1, "0");
  if (text.length < width) {
    header.write(`${text}\0`, at, "latin1");
    return;
  }
  header.fill(0, at, at + width);
  header.writeBigUInt64BE(BigInt(value), at + width - 8);
  header[at] = (header[at] ?? 0) | 0x80;
}

function withChecksum(header: Buffer): Buffer {
  header.fill(" ", 148, 156);
  let sum = 0;
  for (const byte of header.subarray(0, blockBytes)) sum += byte;
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}
