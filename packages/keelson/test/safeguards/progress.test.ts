import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Waiting } from "../../src/safeguards/progress-item.ts";
import { progressOf } from "../../src/safeguards/progress.ts";
import { idOf, Sketch } from "../scheduler/sketch.ts";
import type { Change, Operation } from "../../src/model/operation.ts";
import type { UnitStatus } from "../../src/model/schedule.ts";

const operation = (cluster: Sketch, ...changes: readonly Change[]): Operation => ({
  id: "op1",
  who: "",
  via: "",
  summary: "",
  kind: "test",
  changes: [...changes],
  impact: { affected: 0, total: 0, percent: 0, instances: 0, reversible: "exactly" },
  at: cluster.wallMs(),
  expires: cluster.wallMs() + 1,
  state: "applied",
});

function look(cluster: Sketch, it: Operation): string {
  const waiting: ReadonlyMap<string, Waiting> = cluster.pass().unplaced;
  const { outcome, items } = progressOf(it, cluster.snapshot(), { nowMs: cluster.wallMs(), waiting });
  return [
    outcome,
    ...items.map(({ instance, state, reason }) => `${instance} ${state}${reason && `: ${reason}`}`),
  ].join("\n");
}

function report(cluster: Sketch, unit: string, fields: Partial<UnitStatus>): void {
  for (const statuses of cluster.statuses.values()) {
    const status = statuses.get(unit);
    if (status) statuses.set(unit, { ...status, ...fields });
  }
}

describe("progress", () => {
  test("a start is done when systemd reports it active, of this file", () => {
    const cluster = new Sketch().machine("m1").unit("a.service");
    const after = cluster.units.get("a.service");
    const it = operation(cluster, { unit: "a.service", ...(after && { after }) });
    assert.equal(look(cluster, it), "running\na.service pending: waits for the leader");
    cluster.run();
    assert.equal(look(cluster, it), "running\na.service pending: waits for m1");
    cluster.obey();
    report(cluster, "a.service", { active: "activating", sub: "start", health: "starting" });
    assert.equal(look(cluster, it), "running\na.service pending: is activating (start)");
    report(cluster, "a.service", { active: "active", health: "unhealthy", reason: "its health check fails" });
    assert.equal(look(cluster, it), "running\na.service pending: its health check fails");
    cluster.obey();
    assert.equal(look(cluster, it), "succeeded\na.service ready");
    report(cluster, "a.service", { hash: "0".repeat(64) });
    assert.match(look(cluster, it), /still has the unit as it was/);
  });

  test("the restart of one replica waits for that one alone", () => {
    const cluster = new Sketch().machine("m1").machine("m2").unit("web@.service", "", { replicas: 3 });
    cluster.run();
    cluster.obey();
    const before = cluster.units.get("web@.service")!;
    const after = { ...before, replicaRestarts: { "web@2.service": 1 } };
    const it = operation(cluster, { unit: "web@.service", before, after });
    cluster.units.set("web@.service", after);
    assert.equal(look(cluster, it), "running\nweb@2.service pending: waits for the leader");
    cluster.run();
    assert.match(look(cluster, it), /^running\nweb@2.service pending: is on its way/);
    cluster.obey();
    assert.equal(look(cluster, it), "succeeded\nweb@2.service ready");
    const restarts = [...cluster.schedule.values()].flatMap((orders) => [...orders.values()]);
    assert.deepEqual(restarts.map((order) => `${order.unit} ${order.restarts}`).toSorted(), [
      "web@1.service 0",
      "web@2.service 1",
      "web@3.service 0",
    ]);
  });

  test("a unit that fails ends the waiting, with its reason", () => {
    const cluster = new Sketch().machine("m1").unit("a.service").unit("b.service");
    const changes = ["a.service", "b.service"].map((unit) => ({ unit, after: cluster.units.get(unit)! }));
    const it = operation(cluster, ...changes);
    cluster.run();
    cluster.obey();
    report(cluster, "a.service", { active: "failed", health: "failed", reason: "exit status 1" });
    assert.equal(look(cluster, it), "partly\na.service failed: exit status 1\nb.service ready");
    report(cluster, "b.service", { load: "bad-setting", reason: "" });
    assert.match(look(cluster, it), /^failed\n.*\nb\.service failed: systemd cannot load it \(bad-setting\)/);
  });

  test("a unit that no machine takes fails at once; one that waits for a machine does not", () => {
    const cluster = new Sketch()
      .machine("m1")
      .machine("m2")
      .machine("m3")
      .unit("a.service", "MachineMetadata=x=y");
    const it = operation(cluster, { unit: "a.service", after: cluster.units.get("a.service")! });
    cluster.run();
    assert.equal(look(cluster, it), "failed\na.service failed: no machine fits: m1, m2, m3 has no x=y");
    const other = new Sketch().machine("m1").machine("m2").machine("m3").unit("a.service");
    other.run();
    other.obey().lose("m1");
    const moving = operation(other, { unit: "a.service", after: other.units.get("a.service")! });
    assert.match(look(other, moving), /^running\na\.service pending: m1 does not report/);
  });

  test("replicas are items of their own, and those that go must be gone", () => {
    const cluster = new Sketch().machine("m1").machine("m2").unit("web@.service", "", { replicas: 3 });
    cluster.run();
    cluster.obey();
    const before = cluster.units.get("web@.service")!;
    cluster.units.set("web@.service", { ...before, replicas: 2, generation: 2 });
    const it = operation(cluster, {
      unit: "web@.service",
      before,
      after: cluster.units.get("web@.service")!,
    });
    assert.match(look(cluster, it), /^running\nweb@3\.service pending: m1 still has the order\nweb@1/);
    cluster.run();
    assert.match(look(cluster, it), /web@3\.service pending: m1 is stopping it/);
    cluster.obey();
    assert.equal(
      look(cluster, it),
      "succeeded\nweb@3.service ready\nweb@1.service ready\nweb@2.service ready",
    );
  });

  test("a stop is done when it has stopped, a destruction when nothing is left", () => {
    const cluster = new Sketch().machine("m1").unit("a.service").unit("b.service");
    cluster.run();
    cluster.obey();
    const before = { a: cluster.units.get("a.service")!, b: cluster.units.get("b.service")! };
    cluster.desire("a.service", "loaded").units.delete("b.service");
    const stopped = operation(cluster, {
      unit: "a.service",
      before: before.a,
      after: cluster.units.get("a.service")!,
    });
    const destroyed = operation(cluster, { unit: "b.service", before: before.b });
    cluster.run();
    assert.match(look(cluster, stopped), /^running/);
    assert.match(look(cluster, destroyed), /^running\nb\.service pending: m1 is stopping it \(running\)/);
    cluster.obey();
    assert.equal(look(cluster, stopped), "succeeded\na.service ready");
    assert.equal(look(cluster, destroyed), "succeeded\nb.service ready");
  });

  test("a restart is done when the machine has carried it out", () => {
    const cluster = new Sketch().machine("m1").unit("a.service");
    cluster.run();
    cluster.obey();
    const before = cluster.units.get("a.service")!;
    cluster.units.set("a.service", { ...before, restarts: 1, generation: 2 });
    const it = operation(cluster, { unit: "a.service", before, after: cluster.units.get("a.service")! });
    cluster.run();
    assert.match(look(cluster, it), /^running/);
    report(cluster, "a.service", { active: "failed", reason: "an old failure" });
    assert.match(look(cluster, it), /^running/, "what failed before the restart does not count");
    cluster.obey();
    assert.equal(look(cluster, it), "succeeded\na.service ready");
  });

  test("work that ran and ended well is done", () => {
    const cluster = new Sketch().machine("m1").unit("job.service");
    const it = operation(cluster, { unit: "job.service", after: cluster.units.get("job.service")! });
    cluster.run();
    cluster.obey();
    report(cluster, "job.service", { active: "inactive", sub: "dead", health: "stopped" });
    assert.equal(look(cluster, it), "succeeded\njob.service ready");
    report(cluster, "job.service", { active: "inactive", health: "stopped", invocation: "", steps: {} });
    assert.match(look(cluster, it), /^running/);
  });

  test("what a later operation changed is not waited for; what is not written yet is", () => {
    const cluster = new Sketch().machine("m1").unit("a.service");
    const after = cluster.units.get("a.service")!;
    const it = operation(cluster, { unit: "a.service", after });
    cluster.desire("a.service", "inactive");
    assert.match(look(cluster, it), /^failed\na\.service failed: changed again since/);
    cluster.units.delete("a.service");
    assert.match(
      look(cluster, { ...it, state: "applying" }),
      /^running\na\.service pending: not written yet/,
    );
  });

  test("a global unit is waited for on every machine that has the order", () => {
    const cluster = new Sketch().machine("m1").machine("m2").unit("all.service", "Global=yes");
    const it = operation(cluster, { unit: "all.service", after: cluster.units.get("all.service")! });
    cluster.run();
    cluster.obey("m1");
    const { items } = progressOf(it, cluster.snapshot(), { nowMs: cluster.wallMs(), waiting: new Map() });
    assert.deepEqual(
      items.map(({ machine, state }) => [machine, state]),
      [
        [idOf("m1"), "ready"],
        [idOf("m2"), "pending"],
      ],
    );
  });
});
