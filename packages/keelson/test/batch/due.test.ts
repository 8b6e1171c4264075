import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseCalendar } from "@keelson/systemd";
import fc from "fast-check";
import { isLate, latestDue, nextDue } from "../../src/batch/due.ts";
import type { TimerRules } from "../../src/model/placement/rules.ts";

const rules: TimerRules = {
  unit: undefined,
  calendars: [],
  onActiveMs: [],
  onUnitActiveMs: [],
  onUnitInactiveMs: [],
  ofMachine: [],
  accuracyMs: 60_000,
  randomDelayMs: 0,
  fixedDelay: false,
  persistent: false,
};
const at = Date.UTC(2026, 0, 1);
const past = { activated: at, last: 0, unitStarted: 0, unitEnded: 0 };
const calendars = ["daily", "*:0/7", "*:*:0/13", "Mon *-*-* 04:00"].map((text) => parseCalendar(text));
const span = fc.integer({ min: 0, max: 1_000_000 });

describe("when a timer is due", () => {
  test("each due time lies behind the one before, and behind its cause", () => {
    const some = fc.record({
      calendars: fc.subarray(calendars),
      onActiveMs: fc.array(span, { maxLength: 2 }),
      onUnitActiveMs: fc.array(span, { maxLength: 2 }),
      onUnitInactiveMs: fc.array(span, { maxLength: 2 }),
      randomDelayMs: span,
      fixedDelay: fc.boolean(),
    });
    fc.assert(
      fc.property(some, span, span, (fields, started, took) => {
        const own = { ...rules, ...fields };
        let last = 0;
        for (let round = 0; round < 4; round++) {
          const unitStarted = at + started;
          const found = nextDue("a.timer", own, {
            activated: at,
            last,
            unitStarted,
            unitEnded: unitStarted + took,
          });
          if (found === undefined) return;
          assert.ok(found.due > last);
          assert.ok(found.at >= found.due && found.at <= found.due + own.randomDelayMs);
          last = found.due;
        }
      }),
    );
  });

  test("spans of the unit count only when it has run", () => {
    const own = { ...rules, onUnitInactiveMs: [5000], onActiveMs: [1000] };
    assert.equal(nextDue("a.timer", own, past)?.due, at + 1000);
    assert.equal(nextDue("a.timer", own, { ...past, last: at + 1000 }), undefined);
    assert.equal(nextDue("a.timer", own, { ...past, last: at + 1000, unitEnded: at + 3000 })?.due, at + 8000);
  });

  test("the random delay is the same on every leader, and fixed when it is to be", () => {
    const own = { ...rules, calendars: [parseCalendar("minutely")], randomDelayMs: 30_000 };
    const delays = (name: string, fixedDelay: boolean): number[] => {
      const found = [];
      for (let last = at, round = 0; round < 5; round++) {
        const next = nextDue(name, { ...own, fixedDelay }, { ...past, last });
        assert.ok(next);
        found.push(next.at - next.due);
        last = next.due;
      }
      return found;
    };
    assert.deepEqual(delays("a.timer", false), delays("a.timer", false));
    assert.equal(new Set(delays("a.timer", true)).size, 1);
    assert.ok(new Set(delays("a.timer", false)).size > 1);
    assert.notDeepEqual(delays("a.timer", true), delays("b.timer", true));
  });

  test("of many times that were missed the latest counts", () => {
    const own = { ...rules, calendars: [parseCalendar("minutely")] };
    assert.equal(latestDue(own, at, at + 10.5 * 60_000), at + 600_000);
    assert.equal(latestDue(own, at, at + 59_999), at);
    assert.equal(latestDue({ ...rules, onActiveMs: [1] }, at, at + 1e9), at);
  });

  test("a calendar time is too late after a minute, unless the timer is persistent or inaccurate", () => {
    const own = { ...rules, calendars: [parseCalendar("daily")] };
    assert.equal(isLate(own, at, at + 60_000), false);
    assert.equal(isLate(own, at, at + 60_001), true);
    assert.equal(isLate({ ...own, persistent: true }, at, at + 1e9), false);
    assert.equal(isLate({ ...own, accuracyMs: 3_600_000 }, at, at + 3_000_000), false);
    assert.equal(isLate({ ...rules, onActiveMs: [1000] }, at, at + 1e9), false);
  });
});
