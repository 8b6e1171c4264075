// Reads a bolt file that anyone may have written: whatever a page claims is checked against the bounds of the
// file before it is followed, and no page is visited twice.

import { EtcdError } from "../errors.ts";
import {
  BUCKET_FLAG,
  BUCKET_HEADER_BYTES,
  ELEMENT_BYTES,
  fnv64,
  MAGIC,
  META_BYTES,
  PAGE,
  PAGE_HEADER_BYTES,
  VERSION,
  type BoltEntry,
} from "./format.ts";

const PAGE_SIZES = [4096, 8192, 16384, 32768, 65536, 1024, 2048] as const;
/** A tree of pages with two keys each would need more pages than a file can have. */
const MOST_LEVELS = 40;

/** Bytes of a file, however they are stored. */
export interface FileBytes {
  readonly size: number;
  /** Exactly `length` bytes; never asked for more than the file has. */
  read(offset: number, length: number): Buffer;
}

interface Meta {
  readonly pageSize: number;
  readonly root: number;
  readonly pages: number;
  readonly transaction: bigint;
}

/** One page with those that it overflows into; `at` says where it is, for messages. */
interface Page {
  readonly bytes: Buffer;
  readonly at: string;
  readonly flags: number;
  readonly count: number;
}

interface Element extends BoltEntry {
  readonly flags: number;
}

export class BoltReader {
  readonly #file: FileBytes;
  readonly #meta: Meta;

  /** Throws STORE_DAMAGED if this is no bolt file. */
  constructor(file: FileBytes) {
    this.#file = file;
    this.#meta = findMeta(file);
  }

  /** Names of the buckets, sorted. */
  buckets(): readonly string[] {
    return [...this.#roots()].map(({ key }) => key);
  }

  /**
   * The entries of a bucket in the order of their keys; none if there is no such bucket. Throws STORE_DAMAGED
   * with the page where the file is not what it should be.
   */
  *entries(bucket: string): Generator<BoltEntry, void, void> {
    for (const { key, value, flags } of this.#roots()) {
      if (key !== bucket) continue;
      if (flags !== BUCKET_FLAG) throw damaged("the root", `${JSON.stringify(key)} is not a bucket`);
      for (const entry of this.#bucket(key, Buffer.from(value, "latin1"))) {
        if (entry.flags !== 0) throw damaged(`bucket ${bucket}`, "it holds another bucket");
        yield entry;
      }
      return;
    }
  }

  #roots(): Generator<Element, void, void> {
    return this.#inOrder(this.#walk(this.#meta.root, { visited: new Set(), level: 0 }), "the root");
  }

  #bucket(name: string, header: Buffer): Generator<Element, void, void> {
    const at = `bucket ${name}`;
    if (header.length < BUCKET_HEADER_BYTES) throw damaged(at, "its header is cut off");
    const root = Number(header.readBigUInt64LE(0));
    if (root !== 0) return this.#inOrder(this.#walk(root, { visited: new Set(), level: 0 }), at);
    const bytes = header.subarray(BUCKET_HEADER_BYTES);
    if (bytes.length < PAGE_HEADER_BYTES) throw damaged(at, "its page is cut off");
    const page: Page = { bytes, at, flags: bytes.readUInt16LE(8), count: bytes.readUInt16LE(10) };
    if (page.flags !== PAGE.leaf) throw damaged(at, "its page is not a leaf");
    return this.#inOrder(leafElements(page), at);
  }

  *#inOrder(elements: Iterable<Element>, at: string): Generator<Element, void, void> {
    let before: string | undefined;
    for (const element of elements) {
      if (before !== undefined && element.key <= before) throw damaged(at, "its keys are out of order");
      before = element.key;
      yield element;
    }
  }

  *#walk(
    id: number,
    { visited, level }: { readonly visited: Set<number>; readonly level: number },
  ): Generator<Element, void, void> {
    if (visited.has(id) || level > MOST_LEVELS) throw damaged(`page ${id}`, "the tree leads here twice");
    visited.add(id);
    const page = this.#page(id);
    if (page.flags === PAGE.leaf) yield* leafElements(page);
    else if (page.flags === PAGE.branch) {
      for (const child of children(page)) yield* this.#walk(child, { visited, level: level + 1 });
    } else throw damaged(page.at, `it is no page of a tree (flags ${page.flags})`);
  }

  #page(id: number): Page {
    const { pageSize, pages } = this.#meta;
    const at = `page ${id}`;
    if (!(id >= 2 && id < pages)) throw damaged(at, `the file has ${pages} pages`);
    const head = this.#file.read(id * pageSize, PAGE_HEADER_BYTES);
    if (head.readBigUInt64LE(0) !== BigInt(id))
      throw damaged(at, `it says that it is page ${head.readBigUInt64LE(0)}`);
    const overflow = head.readUInt32LE(12);
    if (id + overflow >= pages) throw damaged(at, "it reaches behind the end of the file");
    const bytes = this.#file.read(id * pageSize, (overflow + 1) * pageSize);
    return { bytes, at, flags: head.readUInt16LE(8), count: head.readUInt16LE(10) };
  }
}

function* leafElements({ bytes, at, count }: Page): Generator<Element, void, void> {
  for (let place = 0; place < count; place++) {
    const element = elementAt(bytes, place, at);
    const [flags, position, keySize, valueSize] = [0, 4, 8, 12].map((field) =>
      bytes.readUInt32LE(element + field),
    );
    const start = element + (position ?? 0);
    const middle = start + (keySize ?? 0);
    const end = middle + (valueSize ?? 0);
    if (end > bytes.length) throw damaged(at, `entry ${place} reaches behind its end`);
    const [key, value] = [bytes.toString("latin1", start, middle), bytes.toString("latin1", middle, end)];
    yield { flags: flags ?? 0, key, value };
  }
}

function* children({ bytes, at, count }: Page): Generator<number, void, void> {
  if (count === 0) throw damaged(at, "it is a branch without children");
  for (let place = 0; place < count; place++) {
    yield Number(bytes.readBigUInt64LE(elementAt(bytes, place, at) + 8));
  }
}

function elementAt(bytes: Buffer, place: number, at: string): number {
  const element = PAGE_HEADER_BYTES + place * ELEMENT_BYTES;
  if (element + ELEMENT_BYTES > bytes.length) throw damaged(at, "it counts more entries than it can hold");
  return element;
}

/** The newer one of the two meta pages that is intact. */
function findMeta(file: FileBytes): Meta {
  const metas: Meta[] = [];
  const first = readMeta(file, 0);
  if (first !== undefined) metas.push(first);
  const sizes = first === undefined ? PAGE_SIZES : [first.pageSize];
  for (const size of sizes) {
    const second = readMeta(file, size);
    if (second?.pageSize === size) metas.push(second);
  }
  const [newest] = metas.sort((a, b) => (a.transaction > b.transaction ? -1 : 1));
  if (newest === undefined) throw damaged("the beginning", "it is not that of a bolt database");
  if (newest.pages > Math.floor(file.size / newest.pageSize)) {
    throw damaged(
      "the end",
      `${newest.pages} pages of ${newest.pageSize} bytes are promised, ${file.size} bytes are there`,
    );
  }
  return newest;
}

function readMeta(file: FileBytes, offset: number): Meta | undefined {
  if (offset + PAGE_HEADER_BYTES + META_BYTES > file.size) return undefined;
  const meta = file.read(offset + PAGE_HEADER_BYTES, META_BYTES);
  const intact =
    meta.readUInt32LE(0) === MAGIC &&
    meta.readUInt32LE(4) === VERSION &&
    meta.readBigUInt64LE(56) === fnv64(meta.subarray(0, 56));
  const pageSize = meta.readUInt32LE(8);
  if (!intact || !PAGE_SIZES.some((size) => size === pageSize)) return undefined;
  const [root, pages] = [Number(meta.readBigUInt64LE(16)), Number(meta.readBigUInt64LE(40))];
  return { pageSize, root, pages, transaction: meta.readBigUInt64LE(48) };
}

function damaged(place: string, what: string): EtcdError {
  return new EtcdError("STORE_DAMAGED", `the database file is damaged at ${place}: ${what}`);
}
