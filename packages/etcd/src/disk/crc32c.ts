const SLICES = 16;
const REVERSED_POLYNOMIAL = 0x82f63b78;

/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4) over sixteen bytes at a time, read as words of a little-endian
 * machine, which all that Node runs on are.
 */
export class Crc32c {
  /** For each of the sixteen places in a slice, the checksum of each byte there. */
  readonly #table = makeTable();

  /** Checksum of `bytes[start, end)`, carried on from `seed`, the checksum of what came before. */
  of(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
    const aligned = start + (-(bytes.byteOffset + start) & 3);
    const slices = Math.floor((end - aligned) / SLICES);
    if (slices <= 0) return ~this.#bytewise(bytes, { start, end, crc: ~seed }) >>> 0;
    const table = this.#table;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, slices * 4);
    let crc = this.#bytewise(bytes, { start, end: aligned, crc: ~seed });
    for (let at = 0; at < words.length; at += 4) {
      const a = crc ^ (words[at] as number);
      const b = words[at + 1] as number;
      const c = words[at + 2] as number;
      const d = words[at + 3] as number;
      crc =
        (table[0xf00 | (a & 0xff)] as number) ^
        (table[0xe00 | ((a >>> 8) & 0xff)] as number) ^
        (table[0xd00 | ((a >>> 16) & 0xff)] as number) ^
        (table[0xc00 | (a >>> 24)] as number) ^
        (table[0xb00 | (b & 0xff)] as number) ^
        (table[0xa00 | ((b >>> 8) & 0xff)] as number) ^
        (table[0x900 | ((b >>> 16) & 0xff)] as number) ^
        (table[0x800 | (b >>> 24)] as number) ^
        (table[0x700 | (c & 0xff)] as number) ^
        (table[0x600 | ((c >>> 8) & 0xff)] as number) ^
        (table[0x500 | ((c >>> 16) & 0xff)] as number) ^
        (table[0x400 | (c >>> 24)] as number) ^
        (table[0x300 | (d & 0xff)] as number) ^
        (table[0x200 | ((d >>> 8) & 0xff)] as number) ^
        (table[0x100 | ((d >>> 16) & 0xff)] as number) ^
        (table[d >>> 24] as number);
    }
    crc = this.#bytewise(bytes, { start: aligned + slices * SLICES, end, crc });
    return ~crc >>> 0;
  }

  #bytewise(
    bytes: Uint8Array,
    { start, end, crc }: { readonly start: number; readonly end: number; readonly crc: number },
  ): number {
    let next = crc;
    for (let at = start; at < end; at++) {
      next = (next >>> 8) ^ (this.#table[(next ^ (bytes[at] as number)) & 0xff] as number);
    }
    return next;
  }
}

function makeTable(): Int32Array {
  const table = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ REVERSED_POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
  }
  for (let place = 256; place < table.length; place++) {
    const before = table[place - 256] as number;
    table[place] = (before >>> 8) ^ (table[before & 0xff] as number);
  }
  return table;
}
