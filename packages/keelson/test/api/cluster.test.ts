import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { machineId } from "../registry/records.ts";
import { file, fill, runApi } from "./running-api.ts";

const inEurope = "[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineMetadata=region=eu\n";

describe("views of the cluster", () => {
  test("what cannot be placed says why, in the list and for each machine", async () => {
    await using running = await runApi();
    fill(running.store).machine(1);
    fill(running.store).machine(2);
    await running.operate({ kind: "submit", files: [file("a.service", inEurope)], desired: "launched" });
    const { json } = await running.ask({ path: "/v1/snapshot" });
    assert.equal(json.units[0].state, "waiting");
    assert.equal(json.units[0].wanted, 1);
    assert.match(json.units[0].reason, /region=eu/);
    assert.equal(json.instances[0].machine, null);
    assert.notEqual(json.instances[0].reason, "");
    const why = await running.ask({ path: "/v1/why/a.service" });
    assert.deepEqual(
      why.json.instances[0].machines.map(({ name }: { name: string }) => name),
      ["m1", "m2"],
    );
    assert.match(why.json.instances[0].machines[0].reasons.join(), /region=eu/);
    assert.equal((await running.ask({ path: "/v1/why/none.service" })).status, 404);
  });

  test("replicas are counted, and the worst trouble is told first", async () => {
    await using running = await runApi();
    const { machine, order, status } = fill(running.store);
    machine(1);
    machine(2);
    const made = await running.operate({
      kind: "submit",
      files: [file("web@.service")],
      desired: "launched",
      replicas: 3,
    });
    const { hash } = made.json.changes[0].after;
    for (const [on, name] of [
      [1, "web@1.service"],
      [2, "web@2.service"],
      [2, "web@3.service"],
    ] as const)
      order(on, name, { hash });
    status(1, "web@1.service", { hash });
    status(2, "web@2.service", { hash, health: "starting", active: "activating" });
    status(2, "web@3.service", {
      hash,
      health: "failed",
      active: "failed",
      sub: "failed",
      reason: "exit code 1",
    });
    const { json } = await running.ask({ path: "/v1/units/web@.service" });
    assert.equal(json.unit.wanted, 3);
    assert.equal(json.unit.healthy, 1);
    assert.equal(json.unit.state, "degraded");
    assert.match(json.unit.reason, /web@3\.service on m2: exit code 1/);
    assert.equal(json.instances.length, 3);
    const { json: machines } = await running.ask({ path: "/v1/machines" });
    assert.deepEqual(
      machines.machines.map(({ instances }: { instances: number }) => instances),
      [1, 2],
    );
  });

  test("a lost machine’s units are unknown, a removed unit is told until it is gone", async () => {
    await using running = await runApi();
    const { machine, order, status } = fill(running.store);
    machine(1);
    machine(2, false);
    const made = await running.operate({
      kind: "submit",
      files: [file("a.service"), file("b.service")],
      desired: "launched",
    });
    const { hash } = made.json.changes[0].after;
    order(2, "a.service", { hash });
    order(1, "b.service", { hash });
    status(1, "b.service", { hash });
    const before = await running.ask({ path: "/v1/snapshot" });
    const a = before.json.instances.find(({ name }: { name: string }) => name === "a.service");
    assert.equal(a.state, "unknown");
    assert.equal(a.reason, "m2 is lost; the leader has not watched the machines for a whole lease yet");
    running.store.txn({ compare: [], write: [{ delete: `/keelson/schedule/${machineId(1)}/b.service` }] });
    await running.operate(
      { kind: "set-desired", units: { names: ["b.service"] }, desired: "inactive" },
      { maxImpact: 100, scope: "test" },
    );
    const { json } = await running.ask({ path: "/v1/units/b.service" });
    assert.equal(json.unit.state, "inactive");
    assert.equal(json.instances[0].state, "stopped");
    assert.match(json.unit.reason, /being removed/);
  });
});
