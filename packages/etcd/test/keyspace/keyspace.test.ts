import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import type { KeyRange } from "../../src/keyspace/requests.ts";
import { Slabs } from "../../src/keyspace/slabs.ts";
import type { Version } from "../../src/keyspace/version.ts";
import { Model } from "./model.ts";

const key = fc.stringMatching(/^[a-d]{1,3}$/);
const end = fc.option(key, { nil: undefined });
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("put" as const),
      key,
      value: fc.string({ unit: "binary-ascii", maxLength: 300 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), key, end }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function between(start: string, end: string | undefined): KeyRange {
  return { start, end, point: false };
}

function run(steps: readonly Step[]): { keyspace: Keyspace; model: Model } {
  // Slabs so small that a few steps fill some, and compaction moves what is in them.
  const keyspace = new Keyspace(new Slabs(400));
  const model = new Model();
  for (const step of steps) {
    if (step.kind === "put") {
      keyspace.put(step.key, step.value, 0n);
      model.put(step.key, step.value);
    } else {
      keyspace.deleteRange(between(step.key, step.end));
      model.delete(step.key, step.end);
    }
    keyspace.commit();
  }
  return { keyspace, model };
}

function seen({ key, value, create, main, version }: Version): unknown {
  return [key, { value, create, mod: main, version }];
}

describe("keyspace", () => {
  test("every range at every revision is what the model says", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), key, end, fc.nat(5), (steps, start, end, limit) => {
        const { keyspace, model } = run(steps);
        assert.equal(keyspace.revision, model.revision);
        for (let revision = 1; revision <= model.revision; revision++) {
          const expected = model.range(start, end, revision);
          const { versions, count } = keyspace.scan(between(start, end), revision, limit);
          assert.deepEqual(versions.map(seen), limit === 0 ? expected : expected.slice(0, limit));
          assert.equal(count, expected.length);
          assert.equal(keyspace.count(between(start, end), revision), expected.length);
        }
      }),
    );
  });

  test("compaction changes nothing that can still be read, and drops the rest", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.nat(),
        fc.nat(3),
        fc.array(step, { maxLength: 10 }),
        (steps, at, most, more) => {
          const { keyspace, model } = run(steps);
          const revision = 1 + (at % model.revision);
          keyspace.compact(revision);
          for (const later of more) {
            if (later.kind === "put") {
              keyspace.put(later.key, later.value, 0n);
              model.put(later.key, later.value);
            } else {
              keyspace.deleteRange(between(later.key, later.end));
              model.delete(later.key, later.end);
            }
            keyspace.commit();
            keyspace.sweep(most);
          }
          while (!keyspace.sweep(most + 1));
          for (let now = revision; now <= model.revision; now++) {
            const { versions } = keyspace.scan(between("", undefined), now, 0);
            assert.deepEqual(versions.map(seen), model.range("", undefined, now));
          }
          const old = keyspace.history.filter(({ main }) => main <= revision);
          const keys = new Set(old.map(({ key }) => key));
          assert.equal(old.length, keys.size, "one version of each key at most is kept from before");
          assert.ok(old.every(({ isTombstone, main }) => !isTombstone || main === revision));
          if (revision > 1) {
            const before = (): unknown => keyspace.scan(between("", undefined), revision - 1, 0);
            assert.throws(before, { code: "COMPACTED" });
          }
        },
      ),
      { examples: [[[{ kind: "put", key: "a", value: "" }], 1, 0, []]] },
    );
  });

  test("a lease's keys go in order, in one revision, and only those that are still on it", () => {
    const keyspace = new Keyspace();
    keyspace.leases.add(7n, 10);
    for (const name of ["c", "a", "b", "moved"]) keyspace.put(name, "", 7n);
    keyspace.commit();
    keyspace.put("moved", "", 0n);
    keyspace.commit();
    keyspace.revoke(7n);
    assert.equal(keyspace.revision, 4);
    const gone = keyspace.history.slice(keyspace.placeOf(4));
    assert.deepEqual(
      gone.map(({ key, sub }) => [key, sub]),
      [
        ["a", 0],
        ["b", 1],
        ["c", 2],
      ],
    );
    assert.ok(keyspace.get("moved"));
    assert.throws(() => keyspace.revoke(7n), { code: "LEASE_NOT_FOUND" });
  });

  test("restoring the history gives the same keyspace", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { keyspace } = run(steps);
        const restored = new Keyspace();
        restored.restoreRevisions(keyspace.revision, keyspace.compactRevision);
        for (const version of keyspace.history) {
          restored.restoreVersion(version, Buffer.from(version.encoded, "latin1"));
        }
        assert.equal(restored.bytes, keyspace.bytes);
        for (let revision = 1; revision <= keyspace.revision; revision++) {
          const all = (from: Keyspace): unknown =>
            from.scan(between("", undefined), revision, 0).versions.map(seen);
          assert.deepEqual(all(restored), all(keyspace));
        }
      }),
    );
  });
});
