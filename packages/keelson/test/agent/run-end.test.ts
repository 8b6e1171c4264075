import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { cutShort, type EndEvidence, endOf, endUnderFence } from "../../src/agent/run-end.ts";
import { attemptNote, planSteps } from "../../src/agent/steps.ts";
import type { RunNote, UnitState, WrittenUnit } from "../../src/host/host.ts";
import type { ScheduleEntry } from "../../src/model/schedule.ts";

const state = (active: string, reason = "", status?: number): UnitState => ({
  load: "loaded",
  active,
  sub: active,
  invocation: "",
  since: 0,
  reason,
  restarts: 0,
  ...(status !== undefined && { status }),
});
const nothing: EndEvidence = {
  outcome: undefined,
  state: state("inactive"),
  ending: undefined,
  lastLine: "",
  needs: undefined,
  at: 50,
};

describe("how an attempt came out", () => {
  test("a start job that is done has succeeded", () => {
    assert.deepEqual(endOf({ ...nothing, outcome: { done: true } }), {
      at: 50,
      result: "succeeded",
      reason: "",
    });
  });

  test("a failed unit says why, with its status and its last line", () => {
    const outcome = { done: false, failed: true, reason: "exit status 3" } as const;
    const failed = {
      ...nothing,
      outcome,
      state: state("failed", "exit status 3", 3),
      lastLine: "no such disk",
    };
    assert.deepEqual(endOf(failed), {
      at: 50,
      result: "failed",
      status: 3,
      reason: "exit status 3: no such disk",
    });
  });

  test("when nobody was listening, systemd’s journal decides, and without it the attempt has failed", () => {
    const ending = { at: 40, succeeded: true, invocation: "" };
    assert.deepEqual(endOf({ ...nothing, ending }), { at: 40, result: "succeeded", reason: "" });
    assert.equal(endOf({ ...nothing, ending, state: state("failed", "exit status 1") }).result, "failed");
    assert.equal(endOf(nothing).reason, "it is not known how it ended");
    assert.equal(endOf({ ...nothing, ending: { ...ending, succeeded: false } }).result, "failed");
  });

  test("one that somebody stopped on its machine has failed", () => {
    const outcome = { done: false, failed: false, reason: "another job took its place" } as const;
    assert.equal(endOf({ ...nothing, outcome }).reason, "it was stopped on its machine");
  });

  test("the fence ends an attempt once", () => {
    const run: RunNote = { id: "r.0", begun: 1, invocation: "" };
    assert.equal(cutShort(run, 9).run?.ended?.givenUp, true);
    const ended = { ...run, ended: { at: 2, result: "succeeded", reason: "" } } as const;
    assert.deepEqual(cutShort(ended, 9), {});
    assert.deepEqual(cutShort(undefined, 9), {});
  });

  test("what ran when the fence acted, and came to no good end, was stopped by it", () => {
    const end = { at: 20, result: "failed", reason: "killed by SIGTERM" } as const;
    assert.equal(endUnderFence(end, 1, 15).givenUp, true);
    assert.equal(endUnderFence(end, 1, 20).givenUp, true);
    for (const [begun, fencedAt] of [
      [1, undefined],
      [1, 21],
      [16, 15],
    ] as const)
      assert.equal(endUnderFence(end, begun, fencedAt), end);
    const good = { at: 20, result: "succeeded", reason: "" } as const;
    assert.equal(endUnderFence(good, 1, 15), good);
  });
});

describe("the steps of an attempt", () => {
  const order = (run: string): ScheduleEntry => ({
    unit: "a.service",
    hash: "a".repeat(64),
    desired: "launched",
    restarts: 0,
    onPartition: "stop",
    companion: false,
    run,
    fence: 1,
    placed: 1,
    because: "",
  });
  const ended = fc.constantFrom(undefined, { at: 1, result: "succeeded" as const, reason: "" });

  test("what was begun is never begun again, whatever its state", () => {
    const active = fc.constantFrom("active", "activating", "inactive", "failed", "deactivating");
    fc.assert(
      fc.property(
        fc.constantFrom("r.0", "r.1"),
        fc.constantFrom("r.0", "r.1"),
        active,
        ended,
        (id, run, now, end) => {
          const note = attemptNote(order(id), { id, begun: 1, invocation: "", ...(end && { ended: end }) });
          const { hash } = order(id);
          const written: WrittenUnit = {
            name: "a.service",
            service: "a.service",
            enabled: false,
            hash,
            note,
          };
          const steps = planSteps(order(run), { written, state: state(now) });
          const begins = steps.includes("start") || steps.includes("restart");
          assert.equal(begins, id !== run);
          if (id === run) assert.deepEqual(steps, end === undefined ? ["await"] : []);
        },
      ),
    );
  });
});
