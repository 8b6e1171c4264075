import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { idOf, leaseMs, Sketch, threeMachines } from "./sketch.ts";

const fiveMachines = (): Sketch =>
  ["m1", "m2", "m3", "m4", "m5"].reduce((it, name) => it.machine(name), new Sketch());

/** Lease, then the time in which others may turn out to be gone too. */
const settleMs = leaseMs / 4 + 250;

describe("when a machine is gone", () => {
  test("its units move after the lease, once it is known that no others went with it", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.run();
    cluster.obey().lose("m1");
    const plan = cluster.run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.deepEqual(plan.againMs, cluster.nowMs + settleMs);
    assert.match(
      plan.unplaced.get("a.service")?.reason ?? "",
      /^m1 does not report; other machines may be found lost/,
    );
    const moved = cluster.run(settleMs);
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
    const [group] = moved.groups;
    assert.deepEqual(group?.absent, [idOf("m1")]);
    assert.ok(group?.writes[0] && "remove" in group.writes[0], "what leaves goes first");
    const entry = cluster.schedule.get(idOf("m2"))?.get("a.service");
    assert.equal(entry?.because, "moved from m1: its lease ran out; fewest units (0)");
  });

  test("a unit that fits nowhere else waits for its machine, and says so", () => {
    const cluster = threeMachines().unit("a.service", "MachineID=m1");
    cluster.run();
    cluster.obey().lose("m1");
    const plan = cluster.run(settleMs);
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.match(plan.unplaced.get("a.service")?.reason ?? "", /m2, m3 is not the machine m1/);
    cluster.machine("m1").run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
  });

  test("followers go with their leader, replicas to machines without one, global units stay", () => {
    const cluster = fiveMachines()
      .unit("web.service", "MachineID=m1")
      .unit("log.service", "MachineOf=web.service");
    cluster.unit("all.service", "Global=yes").run();
    cluster.obey().unit("web.service").run();
    cluster.unit("rep@.service", "", { replicas: 4 }).run();
    cluster.obey().lose("m1");
    assert.deepEqual(cluster.where("log.service"), ["m1"]);
    cluster.run(settleMs);
    assert.equal(cluster.where("web.service").length, 1);
    assert.deepEqual(cluster.where("log.service"), cluster.where("web.service"));
    assert.notDeepEqual(cluster.where("web.service"), ["m1"]);
    assert.ok(cluster.where("all.service").includes("m1"));
  });

  test("a removed machine is not waited for", () => {
    const cluster = threeMachines().unit("a.service").unit("all.service", "Global=yes");
    cluster.run();
    cluster.obey().lose("m1").members.delete(idOf("m1"));
    cluster.run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
    assert.equal(cluster.schedule.has(idOf("m1")), false);
  });

  test("a machine that was removed and still reports keeps its units until its lease ends", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.run();
    cluster.obey().members.delete(idOf("m1"));
    assert.deepEqual(cluster.run().groups, []);
    assert.ok(cluster.schedule.get(idOf("m1"))?.has("a.service"));
  });
});

describe("blinks", () => {
  test("nothing moves until the machines were watched for a whole lease", () => {
    const cluster = threeMachines().unit("a.service").unit("b.service", "MachineID=m2");
    cluster.run();
    cluster.obey().lose("m1");
    cluster.continuousSinceMs = cluster.nowMs;
    const plan = cluster.run(leaseMs - 1);
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.match(
      plan.unplaced.get("a.service")?.reason ?? "",
      /has not watched the machines for a whole lease/,
    );
    assert.deepEqual(plan.againMs, cluster.nowMs + 1);
    cluster.run(1);
    assert.deepEqual(cluster.where("a.service"), ["m3"]);
  });

  test("nothing moves while the store is not heard", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.run();
    cluster.obey().lose("m1");
    cluster.continuousSinceMs = undefined;
    cluster.run(60_000);
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
  });

  test("new units are placed while the leader holds back", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.continuousSinceMs = cluster.nowMs;
    cluster.run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
  });
});

describe("mass failure", () => {
  test("of three machines two vanish within a minute: nothing moves, and the alarm stands until one is back", () => {
    const cluster = threeMachines().unit("a.service").unit("b.service");
    cluster.run();
    cluster.obey().lose("m1").run(1000);
    cluster.lose("m2");
    const plan = cluster.run(600_000);
    assert.deepEqual([cluster.where("a.service"), cluster.where("b.service")], [["m1"], ["m2"]]);
    assert.match(plan.alarms.get("mass-failure") ?? "", /^2 of 3 machines vanished together \(m1, m2\)/);
    assert.match(
      plan.unplaced.get("a.service")?.reason ?? "",
      /m1 does not report; 2 of 3 machines vanished/,
    );
    cluster.machine("m2").obey();
    const after = cluster.run();
    assert.equal(after.alarms.size, 0);
    assert.deepEqual([cluster.where("a.service"), cluster.where("b.service")], [["m3"], ["m2"]]);
  });

  test("two of five are two failures", () => {
    const cluster = fiveMachines().unit("a.service").unit("b.service");
    cluster.run();
    cluster.obey().lose("m1").lose("m2").run(settleMs);
    assert.deepEqual([cluster.where("a.service"), cluster.where("b.service")], [["m3"], ["m4"]]);
  });

  test("failures further apart than a minute are failures of their own", () => {
    const cluster = threeMachines().unit("a.service").unit("b.service");
    cluster.run();
    cluster.obey().lose("m1").run(settleMs);
    cluster.obey().nowMs += 61_000;
    cluster.lose("m2").run(settleMs);
    assert.deepEqual([cluster.where("a.service"), cluster.where("b.service")], [["m3"], ["m3"]]);
  });

  test("a person’s word ends it for the machines that were removed", () => {
    const cluster = threeMachines().unit("a.service").unit("b.service");
    cluster.run();
    cluster.obey().lose("m1").lose("m2").run(settleMs);
    cluster.members.delete(idOf("m1"));
    cluster.run();
    assert.deepEqual(cluster.where("a.service"), ["m3"]);
  });

  test("what an earlier leader has dealt with is not doubted again", () => {
    const cluster = threeMachines()
      .unit("a.service", "MachineID=m3")
      .unit("b.service", "", { desired: "inactive" });
    cluster.run();
    cluster.obey().lose("m1", cluster.nowMs).lose("m2", cluster.nowMs);
    cluster.continuousSinceMs = cluster.nowMs;
    assert.equal(cluster.run(leaseMs).alarms.size, 0);
  });
});

describe("leaving a machine that reports", () => {
  test("another machine gets a unit only when the first has stopped it", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.run();
    cluster.obey().unit("a.service", "MachineID=m2");
    const plan = cluster.run();
    assert.deepEqual(cluster.where("a.service"), []);
    assert.equal(plan.unplaced.get("a.service")?.reason, "waits until m1 has stopped it");
    assert.equal(plan.unplaced.get("a.service")?.final, false);
    cluster.obey().run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
  });

  test("an order is not taken back before it was answered", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.run();
    cluster.unit("a.service", "MachineID=m2").run(10 * leaseMs);
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.match(cluster.pass().unplaced.get("a.service")?.reason ?? "", /waits until m1 has stopped it/);
    cluster.obey().run();
    assert.deepEqual(cluster.where("a.service"), []);
    cluster.obey().run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
  });

  test("an order that nobody wants any more is taken back unanswered after two leases", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.run();
    cluster.desire("a.service", "inactive");
    const plan = cluster.run(10);
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.equal(plan.againMs, cluster.nowMs - 10 + 2 * leaseMs);
    cluster.run(2 * leaseMs);
    assert.deepEqual(cluster.where("a.service"), []);
  });

  test("stopped and started again before the machine has stopped it: it stays there", () => {
    const cluster = threeMachines().unit("b.service", "MachineID=m1").unit("a.service");
    cluster.run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
    cluster.obey().desire("a.service", "inactive").run();
    assert.deepEqual(cluster.where("a.service"), []);
    cluster.unit("c.service", "MachineID=m2").run();
    cluster.desire("a.service", "launched").run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
  });

  test("new content, another desired state and restarts stay where they are", () => {
    const cluster = threeMachines().unit("a.service").unit("b.service");
    cluster.run();
    cluster.obey().unit("b.service", "Conflicts=zzz.service", { restarts: 2, desired: "loaded" });
    const plan = cluster.run();
    assert.deepEqual(plan.groups.flatMap(({ writes }) => writes).length, 1);
    const entry = cluster.schedule.get(idOf("m2"))?.get("b.service");
    assert.deepEqual(
      [entry?.restarts, entry?.desired, entry?.hash],
      [2, "loaded", cluster.units.get("b.service")?.hash],
    );
  });

  test("two orders for one unit become one", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.run();
    const entry = cluster.schedule.get(idOf("m1"))?.get("a.service");
    assert.ok(entry);
    cluster.write({ machine: idOf("m3"), entry });
    cluster.obey().run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
  });

  test("a unit whose file is not here stays, and so do those beside it", () => {
    const cluster = threeMachines().unit("a.service").unit("b.service", "MachineOf=a.service");
    cluster.run();
    cluster.obey().units.set("a.service", { ...cluster.units.get("a.service")!, hash: "0".repeat(64) });
    const plan = cluster.run();
    assert.deepEqual(plan.groups, []);
    assert.deepEqual(
      [...plan.unplaced],
      [["a.service", { reason: "its unit file has not been read yet", final: false }]],
    );
  });

  test("rebalancing is no cause", () => {
    const cluster = new Sketch().machine("m1");
    for (const n of [1, 2, 3, 4]) cluster.unit(`u${n}.service`);
    cluster.run();
    cluster.obey().machine("m2");
    assert.deepEqual(cluster.run().groups, []);
  });
});
