import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OverlayMap } from "../../src/registry/overlay-map.ts";

test("an overlay map holds what a plain map holds, and its older versions do not change", () => {
  const key = fc.integer({ min: 0, max: 120 }).map(String);
  const change = fc.tuple(key, fc.option(fc.nat(), { nil: undefined }));
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 30 }), { maxLength: 20 }), (batches) => {
      let map = OverlayMap.empty<number>();
      const plain = new Map<string, number>();
      for (const batch of batches) {
        const before = map;
        const contents = [...before.entries()];
        map = map.with(new Map(batch));
        for (const [name, value] of new Map(batch)) {
          if (value === undefined) plain.delete(name);
          else plain.set(name, value);
        }
        assert.deepEqual([...before.entries()], contents);
        assert.equal(map.size, plain.size);
        assert.deepEqual(new Map(map.entries()), plain);
        for (let number = 0; number <= 120; number++) {
          assert.equal(map.get(String(number)), plain.get(String(number)));
          assert.equal(map.has(String(number)), plain.has(String(number)));
        }
      }
    }),
    { numRuns: 100 },
  );
});

/** Counts how often all of it was read. */
class Counted extends Map<string, number> {
  readings = 0;

  override [Symbol.iterator](): MapIterator<[string, number]> {
    this.readings++;
    return super[Symbol.iterator]();
  }
}

test("changing one of 20,000 entries does not copy them", () => {
  const base = new Counted(Array.from({ length: 20_000 }, (_, at) => [`unit-${at}`, at]));
  let map = OverlayMap.from(base);
  for (let at = 0; at < 140; at++) map = map.with(new Map([[`unit-${at}`, -1]]));
  assert.equal(base.readings, 0);
  for (let at = 140; at < 2000; at++) map = map.with(new Map([[`unit-${at}`, -1]]));
  assert.equal(base.readings, 1, "copied once many changes have gathered, and then let go");
  assert.equal(map.size, 20_000);
});
