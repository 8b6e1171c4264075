import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Job, JobRun } from "../../src/model/job.ts";
import type { TimerRecord } from "../../src/model/job.ts";
import { jobVerdicts, timerVerdicts } from "../../src/safeguards/run-progress.ts";
import { unitRecord } from "../registry/records.ts";

const unit = unitRecord("a.service", { created: 5, restarts: 1 });
const run: JobRun = {
  id: "r",
  number: 1,
  cause: "",
  hash: unit.hash,
  attempt: 1,
  failures: 0,
  losses: 0,
  orders: 0,
  state: "running",
  machine: "1",
  invocation: "",
  reason: "",
  asked: 1,
  started: 2,
  ended: 0,
  notBefore: 0,
};
const job: Job = {
  name: "a.service",
  instance: "a.service",
  unit: "a.service",
  machine: "",
  created: 5,
  restarts: 1,
  launched: true,
  runs: [],
};

function verdict(changes: Partial<JobRun>, more: Partial<Job> = {}, isFinal?: boolean): string | undefined {
  const record = { ...job, runs: [{ ...run, ...changes }], ...more };
  const found = jobVerdicts("a.service", unit, {
    snapshot: { jobs: new Map([[record.name, record]]) },
    waiting: isFinal === undefined ? undefined : { reason: "no machine fits", final: isFinal },
    nameOf: (id) => `m${id}`,
  });
  return found?.map(({ state, reason }) => `${state} ${reason}`.trim()).join();
}

describe("how far a run has come", () => {
  test("a start waits until its run has ended", () => {
    assert.equal(verdict({ state: "waiting", machine: "" }), "pending waits for a machine");
    assert.equal(verdict({ state: "waiting", machine: "" }, {}, false), "pending no machine fits");
    assert.equal(verdict({ state: "waiting", machine: "" }, {}, true), "failed no machine fits");
    assert.equal(verdict({}), "pending runs on m1");
    assert.equal(verdict({ attempt: 2 }), "pending runs on m1, attempt 2");
    const again = { state: "waiting", attempt: 2, notBefore: 9, reason: "exit status 1" } as const;
    assert.equal(verdict(again), "pending is tried again, attempt 2; it failed: exit status 1");
    assert.equal(verdict({ state: "succeeded", ended: 9 }), "ready");
    assert.equal(verdict({ state: "failed", reason: "exit status 1" }), "failed exit status 1");
  });

  test("the result of an earlier start is none", () => {
    const done = { state: "succeeded", ended: 9 } as const;
    assert.equal(verdict(done, { restarts: 0 }), "pending waits for the leader");
    assert.equal(verdict(done, { created: 4 }), "pending waits for the leader");
    assert.equal(verdict(done, { launched: false }), "pending waits for the leader");
  });

  test("what has no runs, and what is not to run, is judged elsewhere", () => {
    const scene = { snapshot: { jobs: new Map<string, Job>() }, waiting: undefined, nameOf: String };
    assert.equal(jobVerdicts("a.service", unit, scene), undefined);
    assert.equal(jobVerdicts("a.service", { ...unit, desired: "loaded" }, scene), undefined);
  });

  test("a timer is there when the leader waits for its time", () => {
    const owner = unitRecord("a.timer", { created: 5 });
    const timer: TimerRecord = {
      name: "a.timer",
      unit: "a.timer",
      target: "a.service",
      hash: owner.hash,
      created: 5,
      restarts: 0,
      activated: 7,
      last: 0,
      next: 9,
      due: 9,
      reason: "",
      outcome: "",
    };
    const look = (changes: Partial<TimerRecord>): string | undefined =>
      timerVerdicts("a.timer", owner, { timers: new Map([["a.timer", { ...timer, ...changes }]]) })?.[0]
        ?.state;
    assert.equal(look({}), "ready");
    assert.equal(look({ reason: "it has no trigger" }), "failed");
    assert.equal(look({ hash: "b".repeat(64) }), "pending");
    assert.equal(look({ reason: "it is stopped" }), "pending");
    assert.equal(timerVerdicts("b.timer", owner, { timers: new Map() }), undefined);
  });
});
