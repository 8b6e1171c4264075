import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FleetUnits } from "../../../src/api/fleet/fleet-units.ts";
import { emptyCluster } from "../../../src/model/cluster.ts";
import type { Job } from "../../../src/model/job.ts";
import type { DesiredState } from "../../../src/model/unit.ts";
import { machineId, unitRecord } from "../../registry/records.ts";

describe("the cluster as fleet sees it", () => {
  const ended = (state: "succeeded" | "failed"): Job => {
    const run = { state, machine: machineId(1), hash: "h" };
    return { name: "once.service", instance: "once.service", restarts: 0, runs: [run] } as unknown as Job;
  };
  const seen = (desired: DesiredState, job: Job): unknown[] => {
    const unit = unitRecord("once.service", { desired });
    const snapshot = {
      ...emptyCluster,
      units: new Map([[unit.name, unit]]),
      jobs: new Map([[job.name, job]]),
    };
    const units = new FleetUnits(snapshot, { rulesOf: () => "missing" });
    const [only] = units.all();
    assert.ok(only !== undefined);
    return [units.currentOf(only), units.targetOf(only), units.states().map(({ active }) => active)];
  };

  test("what has run to its end stays where it ran, as ended", () => {
    assert.deepEqual(seen("launched", ended("succeeded")), ["launched", machineId(1), ["active"]]);
    assert.deepEqual(seen("launched", ended("failed")), ["launched", machineId(1), ["failed"]]);
  });

  test("unloaded, it is nowhere", () => {
    for (const state of ["succeeded", "failed"] as const)
      assert.deepEqual(seen("inactive", ended(state)), ["inactive", undefined, []], state);
  });
});
