import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FleetUnits } from "../../../src/api/fleet/fleet-units.ts";
import { emptyCluster } from "../../../src/model/cluster.ts";
import type { ClusterSnapshot } from "../../../src/model/cluster.ts";
import type { Job, TimerRecord } from "../../../src/model/job.ts";
import type { DesiredState } from "../../../src/model/unit.ts";
import { machineId, unitRecord } from "../../registry/records.ts";

describe("the cluster as fleet sees it", () => {
  const ended = (state: "succeeded" | "failed"): Partial<ClusterSnapshot> => {
    const run = { state, machine: machineId(1), hash: "h" };
    const job = { name: "once.service", instance: "once.service", restarts: 0, runs: [run] };
    return { jobs: new Map([[job.name, job as unknown as Job]]) };
  };
  const waiting: Partial<ClusterSnapshot> = {
    leader: machineId(2),
    timers: new Map([["tick.timer", { name: "tick.timer", hash: "h", next: 1, reason: "" } as TimerRecord]]),
  };
  const seen = (name: string, desired: DesiredState, more: Partial<ClusterSnapshot>): unknown[] => {
    const unit = unitRecord(name, { desired });
    const snapshot = { ...emptyCluster, units: new Map([[name, unit]]), ...more };
    const units = new FleetUnits(snapshot, { rulesOf: () => "missing" });
    const [only] = units.all();
    assert.ok(only !== undefined);
    return [units.currentOf(only), units.targetOf(only), units.states().map(({ active }) => active)];
  };

  test("what has run to its end stays where it ran, as ended", () => {
    const once = (state: "succeeded" | "failed"): unknown[] => seen("once.service", "launched", ended(state));
    assert.deepEqual(once("succeeded"), ["launched", machineId(1), ["active"]]);
    assert.deepEqual(once("failed"), ["launched", machineId(1), ["failed"]]);
  });

  test("a timer of the cluster waits with the leader", () => {
    assert.deepEqual(seen("tick.timer", "launched", waiting), ["launched", machineId(2), ["active"]]);
    assert.deepEqual(seen("tick.timer", "loaded", waiting), ["loaded", machineId(2), ["inactive"]]);
  });

  test("unloaded, they are nowhere", () => {
    for (const state of ["succeeded", "failed"] as const)
      assert.deepEqual(seen("once.service", "inactive", ended(state)), ["inactive", undefined, []], state);
    assert.deepEqual(seen("tick.timer", "inactive", waiting), ["inactive", undefined, []]);
  });
});
