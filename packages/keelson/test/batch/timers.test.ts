import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { jobs } from "../../src/batch/jobs.ts";
import { timers } from "../../src/batch/timers.ts";
import { BatchStage, oneshot } from "./stage.ts";

function stageWith(timer: string, service = oneshot): BatchStage {
  const stage = new BatchStage();
  stage.sketch.machine("m1").machine("m2");
  stage.sketch.unit("job.service", service, { desired: "inactive" });
  stage.sketch.unit("job.timer", `[Timer]\n${timer}`);
  return stage;
}

function look(stage: BatchStage): void {
  for (const decider of [jobs, timers]) stage.write(stage.decide(decider));
  stage.place();
}

const runsOf = (stage: BatchStage): readonly { readonly cause: string }[] =>
  stage.jobs.get("job.service")?.runs ?? [];

describe("timers", () => {
  test("each due time begins one run at most, although leaders die with half of what they decided", () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 25_000 }),
      most: fc.constantFrom(Infinity, Infinity, Infinity, 0, 1, 2),
      ends: fc.boolean(),
    });
    const rules = fc.constantFrom(
      "OnCalendar=*:*:0/10\n",
      "OnCalendar=*:*:0/10\nPersistent=yes\nRandomizedDelaySec=4\n",
      "OnActiveSec=3\nOnUnitActiveSec=7\n",
      "OnActiveSec=3\nOnUnitInactiveSec=7\n",
    );
    fc.assert(
      fc.property(rules, fc.array(step, { maxLength: 40 }), (rule, steps) => {
        const stage = stageWith(rule);
        const causes = new Map<number, string>();
        for (const { ms, most, ends } of steps) {
          stage.sketch.nowMs += ms;
          if (ends) stage.report(() => ({ at: stage.wallMs, result: "succeeded" }));
          stage.write(stage.decide(jobs), most);
          stage.write(stage.decide(timers), most);
          if (most === Infinity) stage.place();
          const runs = stage.jobs.get("job.service")?.runs ?? [];
          for (const { number, cause, asked } of runs) {
            assert.equal(causes.get(number) ?? cause, cause);
            causes.set(number, cause);
            const due = Date.parse(cause.replace("job.timer at ", ""));
            assert.ok(due <= asked, "not before its time");
          }
        }
        assert.equal(new Set(causes.values()).size, causes.size, "no due time twice");
      }),
      { numRuns: 150 },
    );
  });

  test("what is still running is not begun again, and that is said", () => {
    const stage = stageWith("OnCalendar=*:*:0/10\n");
    look(stage);
    stage.sketch.nowMs += 10_000;
    look(stage);
    stage.sketch.nowMs += 10_000;
    look(stage);
    assert.equal(runsOf(stage).length, 1);
    assert.equal(stage.timers.get("job.timer")?.outcome, "left out: the run before had not ended");
  });

  test("a time that nobody noticed is left out, or made up for once", () => {
    for (const [rule, runs, outcome] of [
      ["OnCalendar=hourly\n", 0, "missed: nobody led the cluster"],
      ["OnCalendar=hourly\nPersistent=yes\n", 1, "started"],
    ] as const) {
      const stage = stageWith(rule);
      look(stage);
      stage.sketch.nowMs += 5.5 * 3_600_000;
      look(stage);
      assert.equal(runsOf(stage).length, runs);
      assert.equal(stage.timers.get("job.timer")?.outcome, outcome);
      assert.ok((stage.timers.get("job.timer")?.next ?? 0) > stage.wallMs);
    }
  });

  test("a leader whose clock was ahead does not silence the timer", () => {
    const stage = stageWith("OnCalendar=*:*:0/10\n");
    look(stage);
    stage.sketch.nowMs += 3 * 3_600_000;
    look(stage);
    stage.sketch.nowMs -= 3 * 3_600_000;
    look(stage);
    const next = stage.timers.get("job.timer")?.next ?? 0;
    assert.ok(next > stage.wallMs && next <= stage.wallMs + 10_000);
  });

  test("a unit that does not run to its end is started by an operation, and not while it runs", () => {
    const stage = stageWith("OnCalendar=*:*:0/10\n", "[Service]\nExecStart=/bin/sleep 9\n");
    look(stage);
    stage.sketch.nowMs += 10_000;
    look(stage);
    assert.deepEqual(
      stage.operations.map(({ summary, via }) => [summary.split(" at ")[0], via]),
      [["start job.service: job.timer", "leader"]],
    );
    stage.sketch.obey();
    stage.sketch.nowMs += 10_000;
    look(stage);
    assert.equal(stage.operations.length, 1);
    assert.equal(stage.timers.get("job.timer")?.outcome, "it runs already");
  });

  test("only the cluster’s timers have a record, and it goes with them", () => {
    const stage = stageWith("OnCalendar=daily\n");
    stage.sketch.unit("alone.timer", "[Timer]\nOnCalendar=daily\n");
    stage.sketch.unit(
      "beside.timer",
      "[Timer]\nOnCalendar=daily\nUnit=job.service\n[X-Fleet]\nMachineOf=job.service\n",
    );
    stage.sketch.unit("all.timer", "[Timer]\nOnCalendar=daily\nUnit=job.service\n[X-Fleet]\nGlobal=yes\n");
    look(stage);
    assert.deepEqual([...stage.timers.keys()], ["job.timer"]);
    assert.deepEqual(stage.where("job.timer"), []);
    assert.equal(stage.where("alone.timer").length, 1);
    stage.sketch.units.delete("job.timer");
    look(stage);
    assert.equal(stage.timers.size, 0);
  });
});
