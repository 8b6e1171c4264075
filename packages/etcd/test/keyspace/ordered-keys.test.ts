import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OrderedKeys, type KeyEntry } from "../../src/keyspace/ordered-keys.ts";
import { Slabs } from "../../src/keyspace/slabs.ts";
import { Version, writeEncoded } from "../../src/keyspace/version.ts";

const slabs = new Slabs();

function entry(key: string, isLive: boolean): KeyEntry {
  const fields = { key, main: 1, sub: 0, create: 1, version: isLive ? 1 : 0, lease: 0n };
  return { key, latest: new Version(fields, writeEncoded(slabs, Buffer.alloc(0)), undefined) };
}

test("counts and visits as a sorted list would, through many blocks", () => {
  const names = fc.uniqueArray(fc.string({ unit: "binary-ascii", maxLength: 4 }), {
    minLength: 1500,
    maxLength: 3000,
  });
  fc.assert(
    fc.property(
      names,
      fc.array(
        fc.tuple(fc.string({ maxLength: 2 }), fc.option(fc.string({ maxLength: 2 }), { nil: undefined })),
      ),
      (keys, ranges) => {
        const ordered = new OrderedKeys();
        const entries = keys.map((key, place) => entry(key, place % 3 !== 0));
        for (const item of entries) ordered.insert(item);
        const left = entries.filter(({ latest }, place) => !(latest.isTombstone && place % 2 === 0));
        for (const item of entries) if (!left.includes(item)) ordered.remove(item.key);
        for (const [start, end] of [...ranges, ["", undefined] as const]) {
          const expected = left.filter(({ key }) => key >= start && (end === undefined || key < end));
          const visited: string[] = [];
          ordered.visit(start, end, ({ key }) => visited.push(key) > 0);
          assert.deepEqual(visited, expected.map(({ key }) => key).sort());
          assert.equal(
            ordered.countLive(start, end),
            expected.filter(({ latest }) => !latest.isTombstone).length,
          );
        }
      },
    ),
    { numRuns: 10 },
  );
});

test("keys that come in order fill their blocks", () => {
  const ordered = new OrderedKeys();
  for (let number = 0; number < 5000; number++) ordered.insert(entry(String(number).padStart(6, "0"), true));
  assert.equal(ordered.countLive("000100", "004900"), 4800);
});
