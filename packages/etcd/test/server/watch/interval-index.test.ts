import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { IntervalIndex } from "../../../src/server/watch/interval-index.ts";

test("finds exactly the intervals that hold a key, while intervals come and go", () => {
  const key = fc.stringMatching(/^[a-c]{0,3}$/);
  const interval = fc.record({
    start: key,
    end: fc.option(key, { nil: undefined }),
    isRemoved: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(interval, { maxLength: 80 }), fc.array(key), (intervals, keys) => {
      const index = new IntervalIndex<(typeof intervals)[number]>();
      const added = intervals.splice(0, intervals.length >> 1);
      for (const item of intervals) index.add(item);
      index.at("a", () => undefined);
      for (const item of intervals) if (item.isRemoved) index.remove(item);
      for (const item of added) {
        index.add(item);
        index.remove(item);
        index.add(item);
      }
      for (const item of intervals) {
        if (item.isRemoved) continue;
        index.remove(item);
        index.add(item);
      }
      for (const key of keys) {
        const found = new Set<unknown>();
        index.at(key, (item) => {
          assert.ok(!found.has(item), "once");
          found.add(item);
        });
        const expected = [...intervals.filter(({ isRemoved }) => !isRemoved), ...added].filter(
          ({ start, end }) => key >= start && (end === undefined || key < end),
        );
        assert.deepEqual(found, new Set(expected));
      }
    }),
  );
});
