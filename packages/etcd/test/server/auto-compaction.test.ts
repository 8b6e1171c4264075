import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { PeriodicRule, RevisionRule, type CompactionRule } from "../../src/server/auto-compaction.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Lets time pass in the rule's own beats; says when it compacted, and at which revision. */
function live(
  rule: CompactionRule,
  { until, fails }: { readonly until: number; readonly fails?: (now: number) => boolean },
): readonly (readonly [now: number, revision: number])[] {
  const compacted: (readonly [number, number])[] = [];
  for (let now = rule.beatMs; now <= until; now += rule.beatMs) {
    clock.now = now;
    const revision = rule.due(now);
    if (revision !== undefined && fails?.(now) !== true) {
      rule.done(revision, now);
      compacted.push([now, revision]);
    }
    rule.beaten();
  }
  return compacted;
}

/** One revision a minute. */
const clock = { now: 0 };
const revision = (): number => 1 + Math.floor(clock.now / MINUTE);

// As etcd does it: the revision is that of one beat before the period began.
describe("periodic compaction", () => {
  const rule = (periodMs: number): PeriodicRule => {
    clock.now = 0;
    return new PeriodicRule(periodMs, { revision, now: 0 });
  };

  test("of an hour: after the first hour, then hourly, at the revision of an hour ago", () => {
    assert.deepEqual(live(rule(HOUR), { until: 3 * HOUR }), [
      [HOUR, 1],
      [2 * HOUR, 55],
      [3 * HOUR, 115],
    ]);
  });

  test("of a day: after the first day, then hourly, at the revision of a day ago", () => {
    const compacted = live(rule(24 * HOUR), { until: 26 * HOUR });
    assert.deepEqual(compacted, [
      [24 * HOUR, 1],
      [25 * HOUR, 55],
      [26 * HOUR, 115],
    ]);
  });

  test("of ten minutes: every ten minutes", () => {
    assert.deepEqual(live(rule(10 * MINUTE), { until: 30 * MINUTE }), [
      [10 * MINUTE, 1],
      [20 * MINUTE, 10],
      [30 * MINUTE, 20],
    ]);
  });

  test("that fails is tried again after a tenth of the interval", () => {
    const compacted = live(rule(HOUR), { until: 70 * MINUTE, fails: (now) => now === HOUR });
    assert.deepEqual(compacted, [[66 * MINUTE, 1]]);
  });

  test("never drops what is younger than the period", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (minutes) => {
        const period = minutes * MINUTE;
        for (const [now, at] of live(rule(period), { until: 3 * period })) {
          assert.ok(at <= 1 + Math.floor((now - period) / MINUTE), `${now} ${at}`);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("compaction by revisions", () => {
  test("looks every five minutes and keeps the number", () => {
    clock.now = 0;
    assert.deepEqual(live(new RevisionRule(10, revision), { until: 20 * MINUTE }), [
      [10 * MINUTE, 1],
      [15 * MINUTE, 6],
      [20 * MINUTE, 11],
    ]);
  });

  test("does nothing twice", () => {
    const rule = new RevisionRule(10, () => 50);
    assert.equal(rule.due(), 40);
    rule.done(40);
    assert.equal(rule.due(), undefined);
  });
});
