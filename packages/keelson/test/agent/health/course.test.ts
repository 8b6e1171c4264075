import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { beginCourse, continueCourse, type HealthCourse, pauseOf } from "../../../src/agent/health/course.ts";
import type { HealthRules } from "../../../src/model/placement/rules.ts";

const rules = (changes: Partial<HealthRules> = {}): HealthRules => ({
  probe: { kind: "tcp", address: ":80" },
  intervalMs: 10_000,
  timeoutMs: 5000,
  retries: 3,
  startPeriodMs: 0,
  onFailure: "restart",
  ...changes,
});
const bad = { ok: false, reason: "TCP :80: connection refused" } as const;
const good = { ok: true } as const;

/** Looks as often as the course asks for, and takes the answers in turn. */
function play(
  answers: readonly boolean[],
  by: HealthRules,
): { readonly at: number; readonly course: HealthCourse }[] {
  let nowMs = 0;
  let course = beginCourse(by, 0);
  return answers.map((ok) => {
    nowMs += pauseOf(course, by, nowMs);
    course = continueCourse(course, by, { answer: ok ? good : bad, nowMs });
    return { at: nowMs, course };
  });
}

const someRules = fc
  .record({
    intervalMs: fc.integer({ min: 100, max: 60_000 }),
    retries: fc.integer({ min: 1, max: 6 }),
    startPeriodMs: fc.integer({ min: 0, max: 120_000 }),
  })
  .map(rules);

describe("the course of one start", () => {
  test("a success makes it healthy, whatever was before", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), someRules, (answers, by) => {
        const { course } = play([...answers, true], by).at(-1)!;
        assert.equal(course.state, "healthy");
        assert.equal(course.reason, "");
      }),
    );
  });

  test("it is unhealthy only after so many failures in a row, none of them in the start period before it was healthy", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), someRules, (answers, by) => {
        for (const [index, { at, course }] of play(answers, by).entries()) {
          if (course.state !== "unhealthy") continue;
          const before = answers.slice(0, index + 1);
          assert.ok(before.length - 1 - before.lastIndexOf(true) >= by.retries);
          if (!before.includes(true)) assert.ok(at >= by.startPeriodMs);
        }
      }),
    );
  });

  test("what never passes is found unhealthy within the start period and so many intervals", () => {
    fc.assert(
      fc.property(someRules, (by) => {
        const course = play(
          Array.from({ length: 2000 }, () => false),
          by,
        );
        const found = course.find((one) => one.course.state === "unhealthy");
        const limit = Math.max(by.startPeriodMs, by.intervalMs) + (by.retries + 1) * by.intervalMs;
        assert.ok(found !== undefined && found.at <= limit, `${found?.at} > ${limit}`);
        assert.match(found.course.reason, /connection refused \((\d) of \1\)$/);
      }),
    );
  });

  test("a start is looked at soon, a settled unit at its interval", () => {
    const [first, second] = play([false, true], rules());
    assert.equal(first?.at, 1000);
    assert.equal(first?.course.state, "starting");
    assert.equal(second?.course.state, "healthy");
    assert.equal(pauseOf(second.course, rules(), second.at), 10_000);
  });

  test("one failure of a healthy unit is not told", () => {
    const last = play([true, false, false], rules()).at(-1)?.course;
    assert.deepEqual([last?.state, last?.reason, last?.failures], ["healthy", "", 2]);
  });
});
