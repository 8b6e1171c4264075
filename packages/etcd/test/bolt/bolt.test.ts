import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { EtcdError } from "../../src/errors.ts";
import { BoltReader, type FileBytes } from "../../src/bolt/reader.ts";
import { BoltPlan, type BoltBucket } from "../../src/bolt/writer.ts";

type Content = Record<string, Record<string, string>>;

function write(content: Content): Buffer {
  const buckets = Object.entries(content).map(([name, pairs]): BoltBucket => {
    const entries = Object.entries(pairs).map(([key, value]) => ({ key, value }));
    entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    return { name, entries: () => entries };
  });
  const planning = BoltPlan.make(buckets);
  let step = planning.next();
  while (step.done !== true) step = planning.next();
  const file = Buffer.concat([...step.value.pages()]);
  assert.equal(file.length, step.value.bytes);
  return file;
}

function fileOf(bytes: Buffer): FileBytes {
  return {
    size: bytes.length,
    read(offset, length) {
      assert.ok(offset >= 0 && offset + length <= bytes.length, "never asked for more than there is");
      return bytes.subarray(offset, offset + length);
    },
  };
}

function read(bytes: Buffer): Content {
  const reader = new BoltReader(fileOf(bytes));
  return Object.fromEntries(
    reader
      .buckets()
      .map((name) => [
        name,
        Object.fromEntries([...reader.entries(name)].map(({ key, value }) => [key, value])),
      ]),
  );
}

// The prefix keeps keys from looking like numbers, which objects put in an order of their own.
const key = fc.string({ minLength: 0, maxLength: 40, unit: "binary-ascii" }).map((text) => `k${text}`);
const value = fc.oneof(fc.string({ unit: "binary-ascii" }), fc.constant("v".repeat(5000)));
const content = fc.dictionary(key, fc.dictionary(key, value, { maxKeys: 60, noNullPrototype: true }), {
  maxKeys: 5,
  noNullPrototype: true,
});

describe("a bolt file", () => {
  it("holds what was written", () => {
    fc.assert(
      fc.property(content, (given) => {
        assert.deepEqual(read(write(given)), given);
      }),
      { numRuns: 60 },
    );
  });

  it("holds trees of several levels", () => {
    const pairs = Object.fromEntries(
      Array.from({ length: 30_000 }, (_, i) => [`key/${String(i).padStart(60, "0")}`, `value ${i}`]),
    );
    assert.deepEqual(read(write({ key: pairs, meta: {} })), { key: pairs, meta: {} });
  });

  it("is read with either meta page, the newer one first", () => {
    const file = write({ key: { a: "1" } });
    for (const page of [0, 4096]) {
      const half = Buffer.from(file);
      half.fill(0, page + 16, page + 80);
      assert.deepEqual(read(half), { key: { a: "1" } });
    }
  });

  it("is refused when it is none, or cut off", () => {
    const file = write({ key: { a: "x".repeat(9000) } });
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(20_000),
      file.subarray(0, 100),
      file.subarray(0, -4096),
    ]) {
      assert.throws(() => read(bytes), { code: "STORE_DAMAGED" });
    }
  });

  it("does harm to nobody when bytes of it are changed", () => {
    const pairs = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`k${i}`, "v".repeat(i)]));
    const file = write({ key: pairs, small: { a: "1" } });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (flips) => {
          const bytes = Buffer.from(file);
          for (const [place, byte] of flips) bytes[place] = byte;
          try {
            read(bytes);
          } catch (error) {
            assert.ok(error instanceof EtcdError && error.code === "STORE_DAMAGED", String(error));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
