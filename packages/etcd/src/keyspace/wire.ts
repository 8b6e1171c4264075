// Protobuf's wire format (https://protobuf.dev/programming-guides/encoding/). Bytes are held as latin1 strings
// throughout the store: one character is one byte, their order is the bytes' order, they are half the size of
// a Buffer in memory, and concatenation costs next to nothing.

/** A revision, id or count that is too large for a double is rounded; nothing that the store hands out is. */
export function varint(value: number): string {
  if (value < 0) return bigVarint(BigInt(value));
  if (value < 0x80) return String.fromCharCode(value);
  if (value < 0x4000) return String.fromCharCode((value & 0x7f) | 0x80, value >>> 7);
  let text = "";
  let rest = value;
  while (rest >= 0x80) {
    text += String.fromCharCode((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return text + String.fromCharCode(rest);
}

/** The same into a buffer, for what is not negative; returns where it ends. */
export function writeVarint(bytes: Buffer, at: number, value: number): number {
  let end = at;
  let rest = value;
  for (; rest >= 2 ** 31; rest = Math.floor(rest / 0x80)) bytes[end++] = (rest % 0x80) | 0x80;
  for (; rest >= 0x80; rest >>>= 7) bytes[end++] = (rest & 0x7f) | 0x80;
  bytes[end++] = rest;
  return end;
}

/** A 64-bit integer; a negative one as its two's complement, in ten bytes. */
export function bigVarint(value: bigint): string {
  let rest = BigInt.asUintN(64, value);
  let text = "";
  while (rest >= 0x80n) {
    text += String.fromCharCode(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return text + String.fromCharCode(Number(rest));
}

/** A length-delimited field. `tag` is the field's tag byte as a character. */
export function bytesField(tag: string, body: string): string {
  return tag + varint(body.length) + body;
}

/** A varint field, left out when it is 0 as proto3 has it. */
export function intField(tag: string, value: number): string {
  return value === 0 ? "" : tag + varint(value);
}

/** A 64-bit field, left out when it is 0. */
export function bigField(tag: string, value: bigint): string {
  return value === 0n ? "" : tag + bigVarint(value);
}

/** A bool field, left out when it is false. */
export function boolField(tag: string, value: boolean): string {
  return value ? `${tag}\u0001` : "";
}

/** Text for people as a `string` field's bytes. */
export function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Up to here adding up characters is faster than asking Node for the string. */
const SHORT_BYTES = 12;

/** The bytes are not the message that they should be. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/**
 * Reads one message's fields in order. Loop on `next()`, which gives the field number or 0 at the end, and take
 * the field with the method of its type, or `skip()` it.
 */
export class WireReader {
  readonly #bytes: Buffer;
  #position: number;
  #end: number;
  #wireType = 0;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#position = start;
    this.#end = end;
  }

  /** Number of the next field, 0 at the end of the message. */
  next(): number {
    if (this.#position >= this.#end) return 0;
    const tag = this.#varint();
    this.#wireType = tag & 7;
    const field = Math.floor(tag / 8);
    if (field === 0) throw new WireError("illegal tag 0");
    return field;
  }

  /** An int64, int32 or enum; above 2^53 rounded to the nearest double. */
  int(): number {
    this.#expect(0);
    return this.#varint();
  }

  bool(): boolean {
    return this.int() !== 0;
  }

  /** An int64, exact. */
  big(): bigint {
    this.#expect(0);
    return this.#bigVarint();
  }

  /** A repeated integer field, packed or not: calls `take` for each. */
  ints(take: (value: number) => void): void {
    if (this.#wireType === 0) return take(this.#varint());
    const end = this.#length() + this.#position;
    while (this.#position < end) take(this.#varint());
  }

  /** A `bytes` field as a latin1 string. */
  bytes(): string {
    const length = this.#length();
    const start = this.#position;
    this.#position = start + length;
    return length < SHORT_BYTES
      ? this.#short(start, this.#position)
      : this.#bytes.toString("latin1", start, this.#position);
  }

  /** An embedded message. */
  message<T>(read: (reader: WireReader) => T): T {
    const length = this.#length();
    const end = this.#end;
    this.#end = this.#position + length;
    const value = read(this);
    if (this.#position !== this.#end) throw new WireError("embedded message ends early");
    this.#end = end;
    return value;
  }

  /** For records that are not messages: nothing is left. */
  get atEnd(): boolean {
    return this.#position >= this.#end;
  }

  /** How the field that `next()` named is written: 0 varint, 1 eight bytes, 2 with its length, 5 four bytes. */
  get wireType(): number {
    return this.#wireType;
  }

  /** A varint without a tag. */
  rawInt(): number {
    return this.#varint();
  }

  /** Where bytes begin and end whose length comes first, without a tag. */
  rawBytes(): readonly [start: number, end: number] {
    const length = this.#lengthOfField();
    const start = this.#position;
    this.#position += length;
    return [start, this.#position];
  }

  skip(): void {
    switch (this.#wireType) {
      case 0:
        this.#bigVarint();
        break;
      case 1:
        this.#advance(8);
        break;
      case 2:
        this.#advance(this.#lengthOfField());
        break;
      case 3:
        this.#skipGroup();
        break;
      case 5:
        this.#advance(4);
        break;
      default:
        throw new WireError(`illegal wire type ${this.#wireType}`);
    }
  }

  /** Groups have not been written for long, but they may stand in a message. */
  #skipGroup(): void {
    for (let depth = 1; depth > 0;) {
      // As with Go's decoder, the numbers of fields in it do not matter.
      this.#wireType = this.#varint() & 7;
      if (this.#wireType === 3) depth++;
      else if (this.#wireType === 4) depth--;
      else this.skip();
    }
  }

  #short(start: number, end: number): string {
    let text = "";
    for (let index = start; index < end; index++) text += String.fromCharCode(this.#bytes[index] as number);
    return text;
  }

  #expect(wireType: number): void {
    if (this.#wireType !== wireType) throw new WireError(`wrong wire type ${this.#wireType}`);
  }

  #advance(count: number): void {
    if (this.#position + count > this.#end) throw new WireError("unexpected EOF");
    this.#position += count;
  }

  #length(): number {
    this.#expect(2);
    return this.#lengthOfField();
  }

  #lengthOfField(): number {
    const length = this.#varint();
    if (length < 0 || this.#position + length > this.#end) throw new WireError("unexpected EOF");
    return length;
  }

  #byte(): number {
    if (this.#position >= this.#end) throw new WireError("unexpected EOF");
    return this.#bytes[this.#position++] as number;
  }

  #varint(): number {
    const start = this.#position;
    let value = 0;
    let scale = 1;
    for (let index = 0; index < 7; index++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    this.#position = start;
    return Number(this.#bigVarint());
  }

  #bigVarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw new WireError("integer overflow");
  }
}
