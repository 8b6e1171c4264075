// Reads header blocks (RFC 7541, 3 and 6).

import { ConnectionError, ERROR } from "../protocol.ts";
import { DynamicTable, fieldSize } from "./dynamic-table.ts";
import { huffmanText } from "./huffman.ts";
import { STATIC_COUNT, STATIC_FIELDS } from "./static-table.ts";

/** Most bytes of an integer after its prefix: 2^28 is more than any length or index that can be meant. */
const MOST_INTEGER_BYTES = 4;
/** Lower-case tokens (RFC 9113, 8.2.1), with the colon of a pseudo-header. */
const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** Anything but line ends and NUL. */
const VALUE = /^[^\0\r\n]*$/;

/** Names and values in turn. */
export type Fields = readonly string[];

export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #mostTableBytes: number;
  readonly #mostListBytes: number;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;

  /** `mostTableBytes` is what SETTINGS_HEADER_TABLE_SIZE tells the other end. */
  constructor(mostTableBytes: number, mostListBytes: number) {
    this.#table = new DynamicTable(mostTableBytes);
    this.#mostTableBytes = mostTableBytes;
    this.#mostListBytes = mostListBytes;
  }

  /** A block that is all indices means the same as before while this number is the same. */
  get changes(): number {
    return this.#table.changes;
  }

  /**
   * The fields of a whole header block; undefined if they are larger than the limit, counted as
   * SETTINGS_MAX_HEADER_LIST_SIZE counts. The table is kept in step either way. Throws ConnectionError for what
   * is no header block.
   */
  decode(block: Buffer): Fields | undefined {
    this.#block = block;
    this.#at = 0;
    this.#readTableSizes();
    const fields: string[] = [];
    let size = 0;
    while (this.#at < block.length) {
      const first = block[this.#at] as number;
      let name: string;
      let value: string;
      if ((first & 0x80) !== 0) {
        const index = this.#integer(7);
        name = this.#nameOf(index);
        value = this.#valueOf(index);
      } else {
        const isKept = (first & 0x40) !== 0;
        if (!isKept && (first & 0x20) !== 0)
          throw broken("the table's size changes in the middle of a block");
        const index = this.#integer(isKept ? 6 : 4);
        name = index === 0 ? this.#name() : this.#nameOf(index);
        value = this.#value();
        if (isKept) this.#table.add(name, value);
      }
      size += fieldSize(name, value);
      if (size <= this.#mostListBytes) fields.push(name, value);
    }
    return size <= this.#mostListBytes ? fields : undefined;
  }

  /** Changes of the table's size stand at the beginning of a block (4.2). */
  #readTableSizes(): void {
    while (((this.#block[this.#at] ?? 0) & 0xe0) === 0x20) {
      const size = this.#integer(5);
      if (size > this.#mostTableBytes) throw broken("the table is made larger than allowed");
      this.#table.resize(size);
    }
  }

  #nameOf(index: number): string {
    if (index > 0 && index <= STATIC_COUNT) return STATIC_FIELDS[2 * index - 2] as string;
    return this.#table.nameAt(this.#place(index));
  }

  #valueOf(index: number): string {
    if (index > 0 && index <= STATIC_COUNT) return STATIC_FIELDS[2 * index - 1] as string;
    return this.#table.valueAt(this.#place(index));
  }

  #place(index: number): number {
    const place = index - STATIC_COUNT - 1;
    if (place < 0 || place >= this.#table.count) throw broken(`there is no field ${index}`);
    return place;
  }

  #name(): string {
    const name = this.#text();
    if (!NAME.test(name)) throw new ConnectionError(ERROR.protocol, "a header has no valid name");
    return name;
  }

  #value(): string {
    const value = this.#text();
    if (!VALUE.test(value)) throw new ConnectionError(ERROR.protocol, "a header has no valid value");
    return value;
  }

  /** A string literal (5.2). */
  #text(): string {
    const isCoded = ((this.#block[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) throw broken("a string goes beyond its block");
    this.#at = end;
    return isCoded ? huffmanText(this.#block, start, end) : this.#block.toString("latin1", start, end);
  }

  /** An integer whose first `bits` bits stand in the current byte (5.1). */
  #integer(bits: number): number {
    const block = this.#block;
    const full = (1 << bits) - 1;
    const first = block[this.#at++];
    if (first === undefined) throw broken("a block ends early");
    let value = first & full;
    if (value < full) return value;
    for (let count = 0; count < MOST_INTEGER_BYTES; count++) {
      const byte = block[this.#at++];
      if (byte === undefined) throw broken("a block ends early");
      value += (byte & 0x7f) << (7 * count);
      if ((byte & 0x80) === 0) return value;
    }
    throw broken("an integer is too large");
  }
}

function broken(message: string): ConnectionError {
  return new ConnectionError(ERROR.compression, message);
}
