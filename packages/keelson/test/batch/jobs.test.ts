import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { jobs } from "../../src/batch/jobs.ts";
import { openRun } from "../../src/model/job.ts";
import { BatchStage, idOf, oneshot } from "./stage.ts";

const machines = ["m1", "m2", "m3"];

function stageWith(body: string): BatchStage {
  const stage = new BatchStage();
  for (const name of machines) stage.sketch.machine(name);
  stage.sketch.unit("job.service", body);
  return stage;
}

/** A look of the leader: what it decides, written as far as it lives, and a pass of the scheduler. */
function look(stage: BatchStage, most = Infinity): void {
  stage.write(stage.decide(jobs), most);
  if (most === Infinity) stage.place();
}

/** Machines that have an order for the job and have answered it. */
const answered = (stage: BatchStage): string[] =>
  stage
    .where("job.service")
    .filter((name) => stage.sketch.statuses.get(idOf(name))?.has("job.service") === true);

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("look"), ms: fc.nat(20_000), at: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("half"), ms: fc.nat(10), at: fc.nat(2) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom("succeed", "fail"), ms: fc.nat(100), at: fc.nat(2) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("lose", "return"), ms: fc.nat(100), at: fc.nat(2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom("start", "stop"), ms: fc.nat(100), at: fc.nat(2) }),
  },
);

describe("jobs", () => {
  test("begun once for each start, never on two machines, over once they have succeeded", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, retries) => {
        const stage = stageWith(retries ? `${oneshot}[X-Keelson]\nRetries=2\nRetryDelay=5\n` : oneshot);
        let starts = 1;
        const succeeded = new Set<string>();
        for (const { kind, ms, at } of steps) {
          stage.sketch.nowMs += ms;
          const machine = machines[at] ?? "";
          const unit = stage.sketch.units.get("job.service");
          assert.ok(unit);
          switch (kind) {
            case "look":
              look(stage);
              break;
            case "half":
              look(stage, at);
              break;
            case "succeed":
            case "fail": {
              const result = kind === "succeed" ? "succeeded" : "failed";
              const on = idOf(machine);
              stage.report((id) => (id === on ? { at: stage.wallMs, result } : undefined));
              break;
            }
            case "lose":
              if (stage.sketch.machines.size > 2) stage.sketch.lose(machine);
              break;
            case "return":
              stage.sketch.machine(machine);
              break;
            case "start":
            case "stop": {
              const desired = kind === "start" ? "launched" : "inactive";
              if (kind === "start") starts += 1;
              stage.sketch.units.set(unit.name, { ...unit, desired, restarts: unit.restarts + 1 });
              break;
            }
          }
          const job = stage.jobs.get("job.service");
          const open = openRun(job);
          assert.ok((job?.runs.at(-1)?.number ?? 0) <= starts, "no more runs than starts");
          assert.ok(
            (job?.runs ?? []).slice(0, -1).every(({ state }) => state !== "running" && state !== "waiting"),
          );
          for (const { id, state } of job?.runs ?? []) {
            assert.ok(!succeeded.has(id) || state === "succeeded", "what has succeeded stays so");
            if (state === "succeeded") succeeded.add(id);
          }
          assert.ok(stage.where("job.service").length <= 1, "one order");
          if (kind === "look" && open === undefined)
            assert.deepEqual(answered(stage), [], "no place without a run");
        }
        // Left alone, every run comes to its end.
        for (const name of machines) stage.sketch.machine(name);
        for (let round = 0; round < 30; round++) {
          stage.sketch.nowMs += 60_000;
          look(stage);
          stage.report(() => ({ at: stage.wallMs, result: "succeeded" }));
        }
        assert.equal(openRun(stage.jobs.get("job.service")), undefined);
        assert.deepEqual(stage.where("job.service"), []);
      }),
      { numRuns: 150 },
    );
  });

  test("nothing is written when nothing has changed", () => {
    const stage = stageWith(oneshot);
    look(stage);
    look(stage);
    assert.deepEqual(stage.decide(jobs).records, []);
    stage.report(() => ({ at: stage.wallMs, result: "succeeded" }));
    look(stage);
    const { records, awaitsReports, againMs } = stage.decide(jobs);
    assert.deepEqual([records, awaitsReports, againMs], [[], false, undefined]);
  });

  test("the next attempt is looked for when its time has come", () => {
    const stage = stageWith(`${oneshot}[X-Keelson]\nRetries=1\nRetryDelay=30\n`);
    look(stage);
    look(stage);
    stage.report(() => ({ at: stage.wallMs, result: "failed" }));
    look(stage);
    assert.equal(stage.decide(jobs).againMs, stage.sketch.nowMs + 30_000);
    assert.deepEqual(stage.where("job.service"), []);
    stage.sketch.obey();
    stage.sketch.nowMs += 30_000;
    look(stage);
    assert.equal(stage.where("job.service").length, 1);
  });

  test("a unit that is gone, or runs to its end no more, leaves no record", () => {
    for (const after of [undefined, "[Service]\nExecStart=/bin/true\n"]) {
      const stage = stageWith(oneshot);
      look(stage);
      if (after === undefined) stage.sketch.units.delete("job.service");
      else stage.sketch.unit("job.service", after);
      look(stage);
      assert.equal(stage.jobs.size, 0);
    }
  });
});
