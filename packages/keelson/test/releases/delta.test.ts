import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeelError } from "../../src/base/errors.ts";
import { applyDelta } from "../../src/releases/apply-delta.ts";
import type { ImageReader } from "../../src/releases/apply-delta.ts";
import {
  blockBytes,
  DeltaReader,
  deltaEnd,
  encodeHead,
  encodeStep,
} from "../../src/releases/delta-format.ts";
import type { DeltaHead } from "../../src/releases/delta-format.ts";
import { planRuns } from "../../src/releases/delta-plan.ts";
import { makeDelta } from "../../src/releases/make-delta.ts";

const readerOf = (bytes: Uint8Array): ImageReader => ({
  size: bytes.byteLength,
  read: async (offset, length) => {
    assert.ok(offset >= 0 && offset + length <= bytes.byteLength, "read within the image");
    return bytes.subarray(offset, offset + length);
  },
});

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const about = (bytes: Uint8Array): { size: number; sha256: string } => ({
  size: bytes.byteLength,
  sha256: sha256(bytes),
});

async function deltaOf(base: Uint8Array, result: Uint8Array, level = 3): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  await makeDelta({
    base: readerOf(base),
    result: readerOf(result),
    level,
    write: async (chunk) => void parts.push(Buffer.from(chunk)),
  });
  return Buffer.concat(parts);
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

async function apply(
  base: Uint8Array,
  delta: Uint8Array,
  expected: Omit<DeltaHead, "schema">,
): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const write = async (chunk: Uint8Array): Promise<void> => void parts.push(Buffer.from(chunk));
  await applyDelta({ base: readerOf(base), delta: inPieces(delta, 1000), expected, write });
  return Buffer.concat(parts);
}

const isDeltaError = (error: unknown): boolean => error instanceof KeelError && error.code === "KEEL-832";

/** A base, and what became of it: pieces kept, moved by odd numbers of bytes, changed, added. */
const pair = fc
  .record({
    blocks: fc.integer({ min: 1, max: 120 }),
    edits: fc.array(
      fc.record({
        at: fc.nat(120 * blockBytes),
        remove: fc.nat(3 * blockBytes),
        add: fc.nat(3 * blockBytes),
      }),
      { maxLength: 6 },
    ),
  })
  .map(({ blocks, edits }) => {
    const base = randomBytes(blocks * blockBytes);
    let result: Buffer = base;
    for (const { at, remove, add } of edits)
      result = Buffer.concat([result.subarray(0, at), randomBytes(add), result.subarray(at + remove)]);
    const whole = Math.max(1, Math.ceil(result.length / blockBytes)) * blockBytes;
    return { base, result: Buffer.concat([result, Buffer.alloc(whole - result.length)]) };
  });

const base = randomBytes(40 * blockBytes);
const result = Buffer.concat([
  base.subarray(0, 30 * blockBytes),
  randomBytes(5 * blockBytes),
  base.subarray(33 * blockBytes),
]);
const expected = { base: about(base), result: about(result) };

describe("a delta", () => {
  test("makes exactly the result, whatever was changed", async () => {
    await fc.assert(
      fc.asyncProperty(pair, async ({ base: old, result: fresh }) => {
        const delta = await deltaOf(old, fresh);
        const made = await apply(old, delta, { base: about(old), result: about(fresh) });
        assert.ok(made.equals(fresh));
      }),
      { numRuns: 40 },
    );
  });

  test("holds little more than what is new, also where bytes moved within blocks", async () => {
    const old = randomBytes(300 * blockBytes);
    const moved = Buffer.concat([randomBytes(100), old.subarray(0, 300 * blockBytes - 100)]);
    assert.ok((await deltaOf(old, moved, 19)).length < 8 * blockBytes);
    const turned = Buffer.concat([old.subarray(200 * blockBytes), old.subarray(0, 200 * blockBytes)]);
    assert.ok((await deltaOf(old, turned)).length < blockBytes);
    // Changed and moved far away: found by its likeness.
    const far = Buffer.concat([old.subarray(200 * blockBytes, 300 * blockBytes - 50), randomBytes(50), old]);
    assert.ok((await deltaOf(old, far, 19)).length < 4 * blockBytes);
  });

  test("is the same for the same images", async () => {
    assert.ok((await deltaOf(base, result)).equals(await deltaOf(base, result)));
  });

  test("is refused when the manifest states other images", async () => {
    const delta = await deltaOf(base, result);
    for (const other of [
      { ...expected, base: about(result) },
      { ...expected, result: about(base) },
    ])
      await assert.rejects(apply(base, delta, other), isDeltaError);
  });

  test("does not count on a base that is another one", async () => {
    const delta = await deltaOf(base, result);
    const changed = Buffer.from(base);
    changed[17] = (changed[17] ?? 0) ^ 1;
    await assert.rejects(apply(changed, delta, expected), isDeltaError);
    await assert.rejects(apply(base.subarray(0, blockBytes), delta, expected), isDeltaError);
  });

  test("with any bit turned, cut off anywhere, or with more behind it, never passes", async () => {
    const delta = await deltaOf(base, result);
    await fc.assert(
      fc.asyncProperty(fc.nat(delta.length * 8 - 1), async (bit) => {
        const bad = Buffer.from(delta);
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const made = await apply(base, bad, expected).catch((error: unknown) => {
          assert.ok(isDeltaError(error), String(error));
          return undefined;
        });
        // A bit of a frame may mean nothing to zstd; the bytes are right, then.
        if (made !== undefined) assert.ok(made.equals(result));
      }),
      { numRuns: 150 },
    );
    for (const cut of [0, 5, 8, 12, 60, delta.length - 20, delta.length - 1])
      await assert.rejects(apply(base, delta.subarray(0, cut), expected), isDeltaError);
    await assert.rejects(apply(base, Buffer.concat([delta, Buffer.of(0)]), expected), isDeltaError);
  });

  test("of hostile steps is refused before it costs anything", async () => {
    const head = encodeHead({ schema: 1, ...expected });
    const start = { kind: "copy", from: 0, count: 40 } as const;
    const frame = Buffer.alloc(10);
    const hostile: readonly Uint8Array[] = [
      encodeStep({ kind: "copy", from: 41, count: 1 }),
      encodeStep({ kind: "copy", from: 0xffffffff, count: 0xffffffff }),
      encodeStep({ kind: "patch", from: 0, fromCount: 0xffffffff, count: 1, frame }),
      encodeStep({ kind: "patch", from: 0, fromCount: 1, count: 0xffffffff, frame }),
      encodeStep({ kind: "patch", from: 0, fromCount: 1, count: 0, frame }),
      encodeStep({ kind: "patch", from: 0, fromCount: 1, count: 1, frame: Buffer.alloc(2 * blockBytes) }),
      Buffer.concat([encodeStep(start), encodeStep(start)]),
      encodeStep(start),
      Buffer.of(7),
    ];
    for (const steps of hostile)
      await assert.rejects(apply(base, Buffer.concat([head, steps, deltaEnd]), expected), isDeltaError);
  });

  test("that is garbage is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.boolean(), async (bytes, begun) => {
        const delta = begun ? Buffer.concat([encodeHead({ schema: 1, ...expected }), bytes]) : bytes;
        await assert.rejects(apply(base, delta, expected), isDeltaError);
      }),
    );
  });

  test("is read from a stream that is closed at its end", async () => {
    let closed = false;
    async function* stream(): AsyncGenerator<Uint8Array> {
      try {
        yield encodeHead({ schema: 1, ...expected });
        yield Buffer.of(9);
        yield Buffer.of(0);
      } finally {
        closed = true;
      }
    }
    await assert.rejects(async () => {
      await using reader = new DeltaReader(stream());
      await reader.head();
      await reader.step();
    }, isDeltaError);
    assert.ok(closed);
  });
});

test("a plan covers the new image once, and copies only what is the same", () => {
  const ids = fc.array(fc.integer({ min: 0, max: 12 }).map(String), { maxLength: 300 });
  fc.assert(
    fc.property(ids, ids, (old, fresh) => {
      let at = 0;
      for (const run of planRuns(old, fresh)) {
        assert.equal(run.at, at);
        assert.ok(run.count > 0);
        if (run.from !== undefined)
          assert.deepEqual(old.slice(run.from, run.from + run.count), fresh.slice(at, at + run.count));
        at += run.count;
      }
      assert.equal(at, fresh.length);
    }),
  );
});
