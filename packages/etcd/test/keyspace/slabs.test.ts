import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Slabs } from "../../src/keyspace/slabs.ts";
import { decodeKeyValue, Version, writeKeyValue } from "../../src/keyspace/version.ts";

const value = fc
  .string({ unit: "binary", maxLength: 200 })
  .map((text) => Buffer.from(text).toString("latin1"));

test("what lies in slabs stays what it was, however much is dropped and moved", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(value, fc.boolean()), { maxLength: 80 }), (items) => {
      const slabs = new Slabs(256);
      const versions = items.map(([value], place) => {
        const fields = { key: `k${place}`, main: place + 2, sub: 0, create: 2, version: 1, lease: 0n };
        return new Version(fields, writeKeyValue(slabs, fields, value), undefined);
      });
      const isDropped = (place: number): boolean => items[place]?.[1] ?? false;
      versions.forEach((version, place) => {
        if (isDropped(place)) version.drop();
      });
      versions.forEach((version, place) => {
        if (!isDropped(place)) version.settle(slabs);
      });
      versions.forEach((version, place) => {
        const read = decodeKeyValue(Buffer.from(version.encoded, "latin1"));
        const expected = { key: `k${place}`, main: place + 2, value: items[place]?.[0] };
        assert.deepEqual({ key: read.key, main: read.main, value: read.value }, expected);
        assert.equal(version.value, expected.value);
      });
    }),
  );
});

test("compaction gives the slabs of what it dropped back", () => {
  class CountedSlabs extends Slabs {
    readonly made = new Set<object>();
    override withRoom(length: number): ReturnType<Slabs["withRoom"]> {
      const slab = super.withRoom(length);
      this.made.add(slab);
      return slab;
    }
    get kept(): number {
      return [...(this.made as Set<{ kept: number }>)].filter(({ kept }) => kept > 0).length;
    }
  }
  const slabs = new CountedSlabs(4096);
  const keyspace = new Keyspace(slabs);
  for (let round = 0; round < 100; round++) {
    for (let key = 0; key < 10; key++) keyspace.put(`key${key}`, "v".repeat(200), 0n);
    // One key in a thousand writes is never written again: its slab would stay for it alone.
    if (round % 10 === 0) keyspace.put(`once${round}`, "v", 0n);
    keyspace.commit();
  }
  assert.ok(slabs.kept > 50);
  keyspace.compact(keyspace.revision);
  while (!keyspace.sweep(100));
  assert.equal(keyspace.history.length, 20);
  assert.ok(slabs.kept <= 2, `${slabs.kept} slabs are left`);
  assert.equal(keyspace.get("once0")?.value, "v");
});
