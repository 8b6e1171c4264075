// Writes a bolt file from its first byte to its last, in one go: the trees are planned first, from the sizes of
// what they will hold, so that every page knows the numbers of the others and the file its length.

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

const PAGE_BYTES = 4096;
/** Larger buckets get pages of their own, as bolt has it. */
const MOST_INLINE_BYTES = PAGE_BYTES / 4;
/** Metas and freelist. */
const FIRST_FREE_PAGE = 3;
const FREELIST_PAGE = 2;
/** Entries between two pauses of a plan. */
const STEP = 5000;

/** A bucket to be written. Both passes over its entries must give the same. */
export interface BoltBucket {
  readonly name: string;
  /** Sorted by key, no key twice. */
  entries(): Iterable<BoltEntry>;
}

/** Neighbouring entries that share a page. */
interface Run {
  readonly firstKey: string;
  count: number;
  bytes: number;
}

/** A page as it was planned, with the pages that it overflows into. */
interface PlannedPage extends Run {
  readonly id: number;
  readonly pages: number;
}

interface PlannedBucket {
  readonly bucket: BoltBucket;
  readonly leaves: readonly PlannedPage[];
  /** Levels above the leaves; the last one is a single page. */
  readonly branches: readonly (readonly PlannedPage[])[];
  /** Entries of a bucket that is so small that it stands in the root. */
  readonly inline: readonly BoltEntry[] | undefined;
}

export class BoltPlan {
  readonly #buckets: readonly PlannedBucket[];
  readonly #root: PlannedPage;
  readonly #rootEntries: readonly BoltEntry[];
  readonly #pages: number;

  private constructor(buckets: readonly PlannedBucket[], nextPage: number) {
    this.#buckets = buckets;
    this.#rootEntries = buckets.map((planned) => ({ key: planned.bucket.name, value: bucketValue(planned) }));
    const [run = emptyRun()] = [...runsOf(this.#rootEntries, Infinity)];
    this.#root = pageOf(run, nextPage);
    this.#pages = nextPage + this.#root.pages;
  }

  /** Plans a file of buckets. The generator pauses regularly, for its caller to do other things. */
  static *make(buckets: readonly BoltBucket[]): Generator<void, BoltPlan, void> {
    let next = FIRST_FREE_PAGE;
    const number = (run: Run): PlannedPage => {
      const page = pageOf(run, next);
      next += page.pages;
      return page;
    };
    const planned: PlannedBucket[] = [];
    for (const bucket of [...buckets].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const runs = yield* leafRuns(bucket);
      const [only = emptyRun()] = runs;
      if (runs.length <= 1 && only.bytes <= MOST_INLINE_BYTES) {
        planned.push({ bucket, leaves: [], branches: [], inline: [...bucket.entries()] });
        continue;
      }
      const leaves = runs.map(number);
      const branches: PlannedPage[][] = [];
      for (let below = leaves; below.length > 1;) {
        const keys = below.map(({ firstKey }) => ({ key: firstKey, value: "" }));
        below = [...runsOf(keys, PAGE_BYTES)].map(number);
        branches.push(below);
      }
      planned.push({ bucket, leaves, branches, inline: undefined });
    }
    return new BoltPlan(planned, next);
  }

  /** Length of the file. */
  get bytes(): number {
    return this.#pages * PAGE_BYTES;
  }

  /** The file's pages in order, one buffer for each page with those that it overflows into. */
  *pages(): Generator<Buffer, void, void> {
    yield this.#meta(0);
    yield this.#meta(1);
    yield pageBuffer({ id: FREELIST_PAGE, pages: 1, count: 0 }, PAGE.freelist);
    for (const { bucket, leaves, branches } of this.#buckets) {
      if (leaves.length > 0) yield* leafPages(leaves, bucket.entries());
      let below = leaves;
      for (const level of branches) {
        yield* branchPages(level, below);
        below = level;
      }
    }
    yield leafPage(this.#root, this.#rootEntries, BUCKET_FLAG);
  }

  #meta(transaction: number): Buffer {
    const page = pageBuffer({ id: transaction, pages: 1, count: 0 }, PAGE.meta);
    const meta = page.subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + META_BYTES);
    meta.writeUInt32LE(MAGIC, 0);
    meta.writeUInt32LE(VERSION, 4);
    meta.writeUInt32LE(PAGE_BYTES, 8);
    meta.writeBigUInt64LE(BigInt(this.#root.id), 16);
    meta.writeBigUInt64LE(BigInt(FREELIST_PAGE), 32);
    meta.writeBigUInt64LE(BigInt(this.#pages), 40);
    meta.writeBigUInt64LE(BigInt(transaction), 48);
    meta.writeBigUInt64LE(fnv64(meta.subarray(0, 56)), 56);
    return page;
  }
}

function emptyRun(): Run {
  return { firstKey: "", count: 0, bytes: PAGE_HEADER_BYTES };
}

function pageOf(run: Run, id: number): PlannedPage {
  return { ...run, id, pages: Math.ceil(run.bytes / PAGE_BYTES) };
}

/** Cuts entries into pages. A page holds two entries at least, however large they are, as bolt has it. */
function* runsOf(entries: Iterable<BoltEntry>, mostBytes: number): Generator<Run, void, void> {
  let run: Run | undefined;
  for (const { key, value } of entries) {
    const bytes = ELEMENT_BYTES + key.length + value.length;
    if (run !== undefined && run.count >= 2 && run.bytes + bytes > mostBytes) {
      yield run;
      run = undefined;
    }
    run ??= { ...emptyRun(), firstKey: key };
    run.count++;
    run.bytes += bytes;
  }
  if (run !== undefined) yield run;
}

function* leafRuns(bucket: BoltBucket): Generator<void, readonly Run[], void> {
  const runs: Run[] = [];
  let sincePause = 0;
  for (const run of runsOf(bucket.entries(), PAGE_BYTES)) {
    runs.push(run);
    sincePause += run.count;
    if (sincePause < STEP) continue;
    sincePause = 0;
    yield;
  }
  return runs;
}

function bucketValue({ inline, leaves, branches }: PlannedBucket): string {
  const header = Buffer.alloc(BUCKET_HEADER_BYTES);
  if (inline === undefined) {
    const root = branches.at(-1)?.[0] ?? leaves[0];
    header.writeBigUInt64LE(BigInt(root?.id ?? 0));
    return header.toString("latin1");
  }
  const [run = emptyRun()] = [...runsOf(inline, Infinity)];
  const page = leafPage({ ...run, id: 0, pages: 1 }, inline, 0).subarray(0, run.bytes);
  return header.toString("latin1") + page.toString("latin1");
}

function* leafPages(
  leaves: readonly PlannedPage[],
  entries: Iterable<BoltEntry>,
): Generator<Buffer, void, void> {
  let place = 0;
  let held: BoltEntry[] = [];
  for (const entry of entries) {
    held.push(entry);
    const leaf = leaves[place];
    if (leaf === undefined || held.length < leaf.count) continue;
    yield leafPage(leaf, held, 0);
    held = [];
    place++;
  }
}

function* branchPages(
  level: readonly PlannedPage[],
  below: readonly PlannedPage[],
): Generator<Buffer, void, void> {
  let first = 0;
  for (const page of level) {
    yield branchPage(page, below.slice(first, first + page.count));
    first += page.count;
  }
}

function leafPage(page: PlannedPage, entries: readonly BoltEntry[], flags: number): Buffer {
  const buffer = pageBuffer(page, PAGE.leaf);
  let at = PAGE_HEADER_BYTES;
  let data = PAGE_HEADER_BYTES + ELEMENT_BYTES * entries.length;
  for (const { key, value } of entries) {
    buffer.writeUInt32LE(flags, at);
    buffer.writeUInt32LE(data - at, at + 4);
    buffer.writeUInt32LE(key.length, at + 8);
    buffer.writeUInt32LE(value.length, at + 12);
    data += buffer.write(key, data, "latin1");
    data += buffer.write(value, data, "latin1");
    at += ELEMENT_BYTES;
  }
  return buffer;
}

function branchPage(page: PlannedPage, below: readonly PlannedPage[]): Buffer {
  const buffer = pageBuffer(page, PAGE.branch);
  let at = PAGE_HEADER_BYTES;
  let data = PAGE_HEADER_BYTES + ELEMENT_BYTES * below.length;
  for (const { firstKey, id } of below) {
    buffer.writeUInt32LE(data - at, at);
    buffer.writeUInt32LE(firstKey.length, at + 4);
    buffer.writeBigUInt64LE(BigInt(id), at + 8);
    data += buffer.write(firstKey, data, "latin1");
    at += ELEMENT_BYTES;
  }
  return buffer;
}

function pageBuffer(
  { id, pages, count }: { readonly id: number; readonly pages: number; readonly count: number },
  flags: number,
): Buffer {
  const buffer = Buffer.alloc(pages * PAGE_BYTES);
  buffer.writeBigUInt64LE(BigInt(id), 0);
  buffer.writeUInt16LE(flags, 8);
  buffer.writeUInt16LE(count, 10);
  buffer.writeUInt32LE(pages - 1, 12);
  return buffer;
}
