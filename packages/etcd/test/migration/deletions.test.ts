import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { withRanges } from "../../src/migration/deletions.ts";
import type { ReplayedChange } from "../../src/migration/history.ts";

const key = fc.stringMatching(/^[a-c]{1,3}$/);

describe("deletions as ranges", () => {
  test("take the same keys in the same order, and cover no key that is written", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(key, { maxLength: 30 }),
        fc.uniqueArray(key),
        fc.nat(),
        (live, named, seed) => {
          const changes = named.map((name, place): ReplayedChange => {
            const isDeleted = live.includes(name) && (seed >> (place % 20)) % 2 === 0;
            if (isDeleted) return { kind: "delete", key: name, rangeEnd: "" };
            return { kind: "put", key: name, value: "", lease: 0n };
          });
          const written = changes.filter(({ kind }) => kind === "put").map((change) => change.key);
          const taken = withRanges(changes, live).flatMap((change): readonly string[] => {
            if (change.kind === "put") return [change.key];
            const end = change.rangeEnd === "" ? `${change.key}\0` : change.rangeEnd;
            const inside = (name: string): boolean => name >= change.key && name < end;
            assert.ok(!written.some(inside));
            return live.filter(inside).sort();
          });
          assert.deepEqual(taken, named);
        },
      ),
    );
  });

  test("ten thousand keys that were deleted together are one operation", () => {
    const live = Array.from({ length: 10_000 }, (_, place) => `k${String(place).padStart(5, "0")}`);
    const changes = live.map((name): ReplayedChange => ({ kind: "delete", key: name, rangeEnd: "" }));
    assert.deepEqual(withRanges(changes, live), [{ kind: "delete", key: "k00000", rangeEnd: "k09999\0" }]);
  });
});
