import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { retain } from "../../src/backup/retention.ts";
import type { KeptBackup, RetentionRule } from "../../src/backup/retention.ts";

const day = 86_400_000;
const start = Date.UTC(2026, 0, 1);
const rule = fc.record({ last: fc.nat(5), daily: fc.nat(5), weekly: fc.nat(4), monthly: fc.nat(4) });
const backups = fc
  .array(fc.record({ hours: fc.nat(24 * 200), isProven: fc.boolean() }), { maxLength: 40 })
  .map((items) =>
    items.map(({ hours, isProven }, place): KeptBackup => {
      return { file: `b${place}`, takenAt: start + hours * 3_600_000, isProven };
    }),
  );

const files = ({ keep }: ReturnType<typeof retain>): readonly string[] => keep.map(({ file }) => file);

describe("the rule of retention", () => {
  test("keeps or drops each backup, and never the newest nor the newest proven one", () => {
    fc.assert(
      fc.property(backups, rule, (all, keep) => {
        const decided = retain(all, keep);
        assert.deepEqual([...files(decided), ...decided.drop].sort(), all.map(({ file }) => file).sort());
        const newest = Math.max(...all.map(({ takenAt }) => takenAt));
        const kept = all.filter(({ file }) => files(decided).includes(file));
        if (all.length > 0) assert.ok(kept.some(({ takenAt }) => takenAt === newest));
        if (all.some(({ isProven }) => isProven)) assert.ok(kept.some(({ isProven }) => isProven));
      }),
    );
  });

  test("keeps no more than it was told, and what it keeps it keeps again", () => {
    fc.assert(
      fc.property(backups, rule, (all, keep) => {
        const decided = retain(all, keep);
        const { last, daily, weekly, monthly } = keep;
        assert.ok(decided.keep.length <= last + daily + weekly + monthly + 2);
        const again = retain(
          all.filter(({ file }) => files(decided).includes(file)),
          keep,
        );
        assert.deepEqual(files(again), files(decided));
      }),
    );
  });

  test("the order in which backups are listed makes no difference; a wider rule keeps no less", () => {
    fc.assert(
      fc.property(backups, rule, (all, keep) => {
        assert.deepEqual(retain(all.toReversed(), keep), retain(all, keep));
        const wider: RetentionRule = { ...keep, daily: keep.daily + 1 };
        const more = files(retain(all, wider));
        for (const file of files(retain(all, keep))) assert.ok(more.includes(file));
      }),
    );
  });

  test("of each day, week and month the newest proven one stays", () => {
    const at = (days: number, hour: number, isProven = true): KeptBackup => {
      return { file: `${days}.${hour}`, takenAt: start + days * day + hour * 3_600_000, isProven };
    };
    const all = [at(0, 1), at(0, 2, false), at(1, 1), at(1, 2), at(2, 1), at(40, 1)];
    const decided = retain(all, { last: 0, daily: 4, weekly: 0, monthly: 2 });
    assert.deepEqual(decided.keep, [
      { file: "40.1", because: ["newest", "newest proven", "daily", "monthly"] },
      { file: "2.1", because: ["daily", "monthly"] },
      { file: "1.2", because: ["daily"] },
      { file: "0.1", because: ["daily"] },
    ]);
  });
});
