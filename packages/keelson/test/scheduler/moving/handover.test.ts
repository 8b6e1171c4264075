import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { UnitStatus } from "../../../src/model/schedule.ts";
import { idOf, leaseMs, type Sketch, threeMachines } from "../sketch.ts";

const surging = "[Service]\nExecStart=/bin/true\n[X-Keelson]\nMaxSurge=1\nUpdateTimeout=60s\n";
const settleMs = leaseMs / 4 + 250;

/** a.service runs on m1, which is being drained; m2 has the order to take it over. */
function begun(): Sketch {
  const cluster = threeMachines().unit("a.service", surging);
  cluster.run();
  cluster.obey().drain("m1").run();
  assert.deepEqual(cluster.where("a.service"), ["m1", "m2"]);
  assert.equal(orderOn(cluster, "m2")?.takesOver, idOf("m1"));
  return cluster;
}

const orderOn = (cluster: Sketch, machine: string) => cluster.schedule.get(idOf(machine))?.get("a.service");

function report(cluster: Sketch, machine: string, fields: Partial<UnitStatus>): void {
  cluster.obey(machine);
  const statuses = cluster.statuses.get(idOf(machine));
  const status = statuses?.get("a.service");
  assert.ok(status !== undefined && statuses !== undefined);
  statuses.set("a.service", { ...status, ...fields });
}

describe("a handover", () => {
  test("the old order stays until the new one is healthy, and the new one says whom it follows until the old has stopped", () => {
    const cluster = begun();
    report(cluster, "m2", { active: "activating", health: "starting" });
    assert.equal(cluster.run(1000).awaitsReports, true);
    assert.deepEqual(cluster.where("a.service"), ["m1", "m2"]);
    cluster.obey("m2").run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
    assert.equal(orderOn(cluster, "m2")?.takesOver, idOf("m1"), "m1 still runs it");
    cluster.obey("m1").run();
    assert.equal(orderOn(cluster, "m2")?.takesOver, undefined);
    assert.match(orderOn(cluster, "m2")?.because ?? "", /^moved from m1: it is being drained; /);
    assert.deepEqual(cluster.run().groups, []);
  });

  test("a new one of another file or an earlier restart is not taken for healthy", () => {
    const cluster = begun();
    report(cluster, "m2", { hash: "0".repeat(64) });
    cluster.run();
    assert.deepEqual(cluster.where("a.service"), ["m1", "m2"]);
  });

  test("one that has only just started may end at once: it is not taken for healthy yet", () => {
    const cluster = begun();
    report(cluster, "m2", { since: cluster.wallMs() });
    assert.equal(cluster.run().againMs, cluster.nowMs + 1000);
    assert.deepEqual(cluster.where("a.service"), ["m1", "m2"]);
    cluster.run(1000);
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
  });

  test("the new one failed: it goes, the old one stays and knows why, and another machine is tried", () => {
    const cluster = begun();
    report(cluster, "m2", { active: "failed", health: "failed", reason: "exit status 1" });
    cluster.run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    const old = orderOn(cluster, "m1");
    assert.equal(old?.failedHandover?.reason, "m2 was to take it over, and it failed: exit status 1");
    assert.ok((old.avoids?.[idOf("m2")] ?? 0) > cluster.wallMs());
    assert.equal(cluster.run().stays.get("a.service"), "waits until another machine has stopped it");
    cluster.obey("m2").run();
    assert.deepEqual(cluster.where("a.service"), ["m1", "m3"]);
    report(cluster, "m3", { active: "failed", health: "failed", reason: "exit status 1" });
    cluster.run();
    cluster.obey("m3");
    assert.match(cluster.run().stays.get("a.service") ?? "", /^fits nowhere else: .* it failed there/);
    const [m2, m3] = ["m2", "m3"].map((name) => orderOn(cluster, "m1")?.avoids?.[idOf(name)] ?? 0);
    assert.ok(m3 !== undefined && m2 !== undefined && m3 - m2 >= 5 * 60_000, "the second time it is longer");
  });

  test("its time is over: the old one stays", () => {
    const cluster = begun();
    report(cluster, "m2", { active: "activating", health: "starting" });
    assert.equal(cluster.run(59_000).againMs, cluster.nowMs + 1000);
    cluster.run(1000);
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.match(orderOn(cluster, "m1")?.failedHandover?.reason ?? "", /it was not healthy within 60 s$/);
  });

  test("the old machine is lost: the new one has it alone, when the loss is certain", () => {
    const cluster = begun();
    cluster.obey().lose("m1").run();
    assert.deepEqual(cluster.where("a.service"), ["m1", "m2"], "it may be a blink");
    cluster.run(settleMs);
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
    cluster.run();
    assert.equal(orderOn(cluster, "m2")?.takesOver, undefined);
  });

  test("the old machine only blinked: the handover goes on", () => {
    const cluster = begun();
    cluster.lose("m1").run();
    cluster.machine("m1").obey().run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
  });

  test("the new machine is lost: the old one stays, and another machine takes over", () => {
    const cluster = begun();
    cluster.lose("m2").run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    cluster.run(settleMs);
    assert.deepEqual(cluster.where("a.service"), ["m1", "m3"]);
  });

  test("both are lost: it is started once", () => {
    const cluster = begun();
    cluster.machine("m4").machine("m5").machine("m6").obey().lose("m1").lose("m2").run();
    cluster.run(settleMs);
    assert.deepEqual(cluster.where("a.service"), ["m3"]);
  });

  test("a leader that dies between the writes leaves what the next one finishes", () => {
    const cluster = begun();
    cluster.obey("m2");
    const [write] = cluster.pass().groups.flatMap(({ writes }) => writes);
    assert.ok(write !== undefined && "remove" in write, "the old order goes first");
    cluster.write(write);
    cluster.obey().run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
    assert.equal(orderOn(cluster, "m2")?.takesOver, undefined);
  });

  test("the machine that has just taken over is drained, too: it goes on from there", () => {
    const cluster = begun();
    cluster.obey("m2").reopen("m1").drain("m2").close("m3").run();
    for (let round = 0; round < 8; round++) cluster.obey().run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.equal(orderOn(cluster, "m1")?.takesOver, undefined);
  });

  test("it is stopped meanwhile: both stop", () => {
    const cluster = begun();
    cluster.obey().desire("a.service", "inactive").run();
    assert.deepEqual(cluster.where("a.service"), []);
  });

  test("a new file starts elsewhere first, and waits for its turn rather than restart in place", () => {
    const cluster = threeMachines().unit("web@.service", surging, { replicas: 2 });
    cluster.run();
    cluster.obey().unit("web@.service", `# 2\n${surging}`, { replicas: 2 });
    const plan = cluster.run();
    assert.deepEqual(cluster.where("web@1.service"), ["m1", "m3"]);
    assert.deepEqual(cluster.where("web@2.service"), ["m2"]);
    assert.match(plan.stays.get("web@2.service") ?? "", /web@.service is being handed over, MaxSurge=1$/);
    cluster.obey("m3").run();
    const hashes = [...cluster.schedule.values()].flatMap((entries) =>
      [...entries.values()].map(({ unit, hash }) => [unit, hash] as const),
    );
    const wanted = cluster.units.get("web@.service")?.hash;
    assert.equal(hashes.find(([unit]) => unit === "web@1.service")?.[1], wanted);
    assert.deepEqual(cluster.where("web@2.service"), ["m2"], "m1 has yet to stop web@1");
    cluster.obey().run();
    cluster.run();
    assert.deepEqual(cluster.where("web@2.service").length, 2);
  });

  test("where it fits nowhere else a new file is started in place", () => {
    const cluster = threeMachines().unit("a.service", `${surging}[X-Fleet]\nMachineID=m1\n`);
    cluster.run();
    cluster.obey().unit("a.service", `# 2\n${surging}[X-Fleet]\nMachineID=m1\n`).run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.equal(orderOn(cluster, "m1")?.hash, cluster.units.get("a.service")?.hash);
  });
});
