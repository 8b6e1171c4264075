// A cluster for the deciders of batch work: the scheduler's sketch with runs and timers, whose changes are written
// as the store would write them, or only in part, as when a leader dies in the middle.
import assert from "node:assert/strict";
import type { ClusterSnapshot } from "../../src/model/cluster.ts";
import type { Decider, DeciderScene, Decision } from "../../src/model/decision.ts";
import type { Job, TimerRecord } from "../../src/model/job.ts";
import type { Operation } from "../../src/model/operation.ts";
import { type RecordChange, sameRecord } from "../../src/model/record-kinds.ts";
import type { UnitStatus } from "../../src/model/schedule.ts";
import { schedule } from "../../src/scheduler/schedule.ts";
import { idOf, Sketch } from "../scheduler/sketch.ts";

export class BatchStage {
  readonly sketch = new Sketch();
  readonly jobs = new Map<string, Job>();
  readonly timers = new Map<string, TimerRecord>();
  readonly operations: Operation[] = [];
  #ids = 0;

  get snapshot(): ClusterSnapshot {
    return { ...this.sketch.snapshot(), jobs: this.jobs, timers: this.timers };
  }

  get wallMs(): number {
    return this.sketch.wallMs();
  }

  decide(decider: Decider): Decision {
    const { placements, nowMs } = this.sketch;
    const newId = (): string => `id${(this.#ids += 1)}`;
    const scene: DeciderScene = { snapshot: this.snapshot, placements, nowMs, wallMs: this.wallMs, newId };
    return decider.decide(scene);
  }

  /** Writes the first so many of the decision's changes; the rest is lost with the leader. */
  write({ records, operations }: Decision, most = Infinity): void {
    for (const change of records.slice(0, most)) this.#put(change);
    for (const operation of operations.slice(0, Math.max(0, most - records.length))) {
      this.operations.push(operation);
      for (const { unit, after } of operation.changes) {
        if (after === undefined) this.sketch.units.delete(unit);
        else this.sketch.units.set(unit, after);
      }
      for (const change of operation.records ?? []) this.#put(change);
    }
  }

  /** A pass of the scheduler, written. */
  place(): void {
    const plan = schedule(this.snapshot, this.sketch.placements, this.sketch.facts());
    for (const { writes } of plan.groups) for (const write of writes) this.sketch.write(write);
  }

  /** What machines report of the runs that they were ordered; they drop what they have no order for. */
  report(how: (machine: string, run: string) => UnitStatus["ended"]): void {
    for (const id of this.sketch.machines.keys()) {
      const statuses = new Map<string, UnitStatus>();
      for (const entry of this.sketch.schedule.get(id)?.values() ?? []) {
        const { run } = entry;
        const ended = run === undefined ? undefined : how(id, run);
        statuses.set(entry.unit, {
          ...this.sketch.status(entry),
          ...(run !== undefined && { run, active: ended === undefined ? "activating" : "inactive" }),
          ...(ended !== undefined && { ended, reason: ended.result === "failed" ? "exit status 1" : "" }),
        });
      }
      if (statuses.size > 0) this.sketch.statuses.set(id, statuses);
      else this.sketch.statuses.delete(id);
    }
  }

  /** The machines that have an order for the instance. */
  where(instance: string): string[] {
    return this.sketch.where(instance);
  }

  #put({ kind, name, before, after }: RecordChange): void {
    assert.ok(kind === "job" || kind === "timer");
    const records: Map<string, unknown> = kind === "job" ? this.jobs : this.timers;
    assert.ok(sameRecord(records.get(name), before), `${kind} ${name} is what its change says that it was`);
    if (after === undefined) records.delete(name);
    else records.set(name, after);
  }
}

export { idOf };

export const oneshot = "[Service]\nType=oneshot\nExecStart=/bin/true\n";
