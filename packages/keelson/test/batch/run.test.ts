import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { beginRun, follow, giveUp, mostLosses, withinReason, withRun } from "../../src/batch/run.ts";
import { attemptOf, dueRun, type Job, type JobRun, maxResults, openRun } from "../../src/model/job.ts";
import type { UnitStatus } from "../../src/model/schedule.ts";

const hash = "a".repeat(64);
const blank: Job = {
  name: "a.service",
  instance: "a.service",
  unit: "a.service",
  machine: "",
  created: 1,
  restarts: 0,
  launched: true,
  runs: [],
};
const begin = (job: Job, wallMs: number): Job =>
  beginRun(job, { id: `r${wallMs}`, cause: "start a.service", hash, wallMs });

function status(how?: "succeeded" | "failed" | "given-up", at = 0): UnitStatus {
  const ended = how === "given-up" ? "failed" : how;
  return {
    unit: "a.service",
    hash,
    load: "loaded",
    active: ended === undefined ? "activating" : ended === "failed" ? "failed" : "inactive",
    sub: "",
    invocation: "b".repeat(32),
    health: "unknown",
    since: at,
    restarts: 0,
    reason: ended === "failed" ? "exit status 1" : "",
    addresses: [],
    steps: {},
    ...(ended !== undefined && {
      ended: { at, result: ended, ...(how === "given-up" && { givenUp: true }) },
    }),
  };
}

const event = fc.record({
  machine: fc.constantFrom("m1", "m2", "m3"),
  ended: fc.constantFrom(undefined, undefined, "succeeded" as const, "failed" as const, "given-up" as const),
  hasReport: fc.boolean(),
  ms: fc.integer({ min: 1, max: 100_000 }),
});
const batch = fc.record({
  retries: fc.integer({ min: 0, max: 4 }),
  retryDelayMs: fc.integer({ min: 0, max: 7_200_000 }),
});

describe("a run", () => {
  test("counts its attempts, ends once, and is tried no more often than it may be", () => {
    fc.assert(
      fc.property(batch, fc.array(event, { maxLength: 40 }), (rules, events) => {
        let wallMs = 1_000_000;
        let job = begin(blank, wallMs);
        const begun = new Set([attemptOf(job.runs[0] as JobRun)]);
        for (const { machine, ended, hasReport, ms } of events) {
          wallMs += ms;
          const run = openRun(job);
          if (run === undefined) break;
          if (dueRun(job) === undefined) {
            job = withRun(job, { ...run, notBefore: 0 });
            continue;
          }
          const report = hasReport ? status(ended, wallMs) : undefined;
          const carrier = { machine, attempt: attemptOf(run), placed: wallMs, status: report };
          const after = follow(run, carrier, { batch: rules, wallMs });
          assert.equal(
            after.attempt - 1 + (after.state === "failed" && after.failures > run.failures ? 1 : 0),
            after.failures + after.losses,
          );
          assert.ok(after.failures <= rules.retries + 1);
          assert.ok(after.losses <= mostLosses + 1);
          assert.equal(after.id, run.id);
          if (after.state === "succeeded") assert.equal(after.reason, "");
          else if (after.state === "failed") assert.notEqual(after.reason, "");
          if (after.orders > run.orders) {
            assert.ok(!begun.has(attemptOf(after)), "an attempt has an identity of its own");
            begun.add(attemptOf(after));
            assert.ok(after.notBefore === 0 || after.notBefore > wallMs);
          } else if (after.state !== "failed") assert.equal(attemptOf(after), attemptOf(run));
          job = withRun(job, after);
        }
        assert.equal(job.runs.length, 1);
      }),
    );
  });

  test("a machine that gives it up takes nothing off its retries", () => {
    const rules = { retries: 0, retryDelayMs: 10_000 };
    let run = begin(blank, 0).runs[0] as JobRun;
    for (let losses = 1; losses <= mostLosses + 1; losses++) {
      const carrier = {
        machine: "m1",
        attempt: attemptOf(run),
        placed: losses,
        status: status("given-up", losses),
      };
      const after = follow(run, carrier, { batch: rules, wallMs: losses });
      assert.deepEqual([after.losses, after.failures, after.notBefore], [losses, 0, 0]);
      assert.equal(after.state, losses > mostLosses ? "failed" : "waiting");
      if (after.state === "waiting") assert.notEqual(attemptOf(after), attemptOf(run));
      run = after;
    }
  });

  test("waits longer after each failure, up to an hour", () => {
    const rules = { retries: 100, retryDelayMs: 10_000 };
    let run = begin(blank, 0).runs[0] as JobRun;
    const waits: number[] = [];
    for (let at = 0; waits.length < 12; at += 1) {
      const carrier = { machine: "m1", attempt: attemptOf(run), placed: at, status: status("failed", at) };
      run = follow(run, carrier, { batch: rules, wallMs: at });
      waits.push(run.notBefore - at);
      run = { ...run, notBefore: 0 };
    }
    assert.deepEqual(waits.slice(0, 4), [10_000, 20_000, 40_000, 80_000]);
    assert.equal(Math.max(...waits), 3_600_000);
  });

  test("a wait that a wrong clock has made too long is cut", () => {
    const rules = { retries: 3, retryDelayMs: 10_000 };
    const run = { ...(begin(blank, 0).runs[0] as JobRun), failures: 2, notBefore: 99_000_000 };
    assert.equal(withinReason(run, rules, 1000).notBefore, 21_000);
    assert.equal(withinReason({ ...run, notBefore: 5000 }, rules, 1000).notBefore, 5000);
  });

  test("the last 20 results are kept, and their numbers count on", () => {
    let job = blank;
    for (let number = 1; number <= 50; number++) {
      job = giveUp(begin(job, number), "stopped", number);
      assert.ok(job.runs.length <= maxResults);
      assert.equal(job.runs.at(-1)?.number, number);
    }
    assert.equal(begin(job, 51).runs.length, maxResults + 1);
  });
});
