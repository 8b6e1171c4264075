import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { editDistance, nearest } from "../src/index.ts";

const OPTIONS = ["MachineID", "MachineOf", "MachineMetadata", "Conflicts", "Global", "Replaces"];

test("misspellings find what was meant", () => {
  assert.equal(nearest("Machineid", OPTIONS), "MachineID");
  assert.equal(nearest("MachineMetdata", OPTIONS), "MachineMetadata");
  assert.equal(nearest("Conflict", OPTIONS), "Conflicts");
  assert.equal(nearest("Golbal", OPTIONS), "Global");
  assert.equal(nearest("Memory", OPTIONS), undefined);
  assert.equal(nearest("x", OPTIONS), undefined);
  assert.equal(nearest("", OPTIONS), undefined);
});

const word = fc.string({ maxLength: 12 });

test("property: distance is zero for the same word only, symmetric, and at most the longer length", () => {
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      assert.equal(distance === 0, a === b);
      assert.equal(distance, editDistance(b, a));
      assert.ok(distance <= Math.max(a.length, b.length));
      assert.ok(distance >= Math.abs(a.length - b.length));
    }),
  );
});

test("property: a candidate finds itself, and no other candidate is nearer than the one found", () => {
  fc.assert(
    fc.property(word, fc.array(word), (name, others) => {
      assert.equal(nearest(name, [name, ...others]), name);
      const found = nearest(name, others);
      if (found === undefined) return;
      const distance = editDistance(name.toLowerCase(), found.toLowerCase());
      for (const other of others) {
        const far = editDistance(name.toLowerCase(), other.toLowerCase());
        const near = far <= Math.floor(Math.max(name.length, other.length) / 3);
        assert.ok(!near || far >= distance);
      }
    }),
  );
});
