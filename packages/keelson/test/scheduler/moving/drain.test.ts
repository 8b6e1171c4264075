import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { idOf, leaseMs, Sketch, threeMachines } from "../sketch.ts";

describe("a cordoned machine", () => {
  test("takes no new units and keeps those that it has", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.run();
    cluster.obey().close("m1").unit("b.service", "MachineID=m1").run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.match(cluster.run().unplaced.get("b.service")?.reason ?? "", /m1 is cordoned/);
    cluster.reopen("m1").run();
    assert.deepEqual(cluster.where("b.service"), ["m1"]);
  });

  test("a global unit does not come to it", () => {
    const cluster = threeMachines().close("m2").unit("all.service", "Global=yes");
    cluster.run();
    assert.deepEqual(cluster.where("all.service"), ["m1", "m3"]);
  });
});

describe("a drain", () => {
  test("a singleton stops here before it starts elsewhere", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.run();
    cluster.obey().drain("m1").run();
    assert.deepEqual(cluster.where("a.service"), []);
    assert.match(cluster.pass().unplaced.get("a.service")?.reason ?? "", /waits until m1 has stopped it/);
    cluster.obey().run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
  });

  test("of a template no more are down than MaxUnavailable lets", () => {
    const cluster = new Sketch().machine("m1").unit("web@.service", "", { replicas: 4 });
    cluster.run();
    cluster.obey().machine("m2").drain("m1");
    const seen: number[] = [];
    for (let round = 0; round < 12; round++) {
      cluster.run(1000);
      const ordered = [1, 2, 3, 4].filter((n) => cluster.where(`web@${n}.service`).length === 1).length;
      seen.push(ordered);
      cluster.obey();
    }
    assert.equal(Math.min(...seen), 3);
    assert.equal(cluster.schedule.get(idOf("m1")), undefined);
    assert.equal(cluster.schedule.get(idOf("m2"))?.size, 4);
  });

  test("who fits nowhere else stays and says why, until the deadline", () => {
    const cluster = threeMachines().unit("a.service", "MachineID=m1");
    cluster.run();
    cluster.obey().drain("m1", cluster.wallMs() + 10_000);
    const plan = cluster.run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.equal(
      plan.stays.get("a.service"),
      "fits nowhere else: no machine fits: m2, m3 is not the machine m1",
    );
    assert.equal(plan.againMs, cluster.nowMs + 10_000);
    cluster.run(10_000);
    assert.deepEqual(cluster.where("a.service"), []);
    cluster.obey();
    assert.match(cluster.run().unplaced.get("a.service")?.reason ?? "", /m1 is being drained/);
    cluster.reopen("m1").run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
  });

  test("two do not leave for one place", () => {
    const need = "[Service]\nExecStart=/bin/true\n[X-Keelson]\nMemoryRequest=600M\n";
    const cluster = new Sketch().machine("m1").machine("m2").unit("a.service", need).unit("b.service", need);
    cluster.run();
    assert.notDeepEqual(cluster.where("a.service"), cluster.where("b.service"));
    cluster.obey().machine("m3").drain("m1").drain("m2");
    for (let round = 0; round < 6; round++) {
      const homes = ["a.service", "b.service"].map((unit) => cluster.where(unit).length);
      assert.ok(Math.max(...homes) === 1, "one at least has its place");
      cluster.run(1000);
      cluster.obey();
    }
    assert.deepEqual(cluster.where("a.service"), ["m3"]);
    assert.equal(cluster.where("b.service").length, 1, "the other stays");
    assert.match(cluster.run().stays.get("b.service") ?? "", /^fits nowhere else/);
  });

  test("global units leave last", () => {
    const cluster = threeMachines().unit("all.service", "Global=yes").unit("a.service");
    cluster.run();
    cluster.obey().drain("m1").run();
    assert.deepEqual(cluster.where("all.service"), ["m1", "m2", "m3"]);
    cluster.obey().run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
    cluster.run();
    assert.deepEqual(cluster.where("all.service"), ["m2", "m3"]);
    cluster.obey();
    assert.deepEqual(cluster.run().groups, []);
  });

  test("who must run beside another goes with it", () => {
    const cluster = threeMachines().unit("a.service").unit("b.service", "MachineOf=a.service");
    cluster.run();
    cluster.obey().drain("m1").run();
    cluster.obey().run();
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
    assert.deepEqual(cluster.where("b.service"), ["m2"]);
  });

  test("nothing leaves while the leader holds back", () => {
    const cluster = ["m1", "m2", "m3", "m4", "m5"].reduce((it, name) => it.machine(name), new Sketch());
    cluster.unit("a.service").run();
    cluster.obey().lose("m3").lose("m4").lose("m5").drain("m1");
    assert.match(cluster.run(10 * leaseMs).stays.get("a.service") ?? "", /machines vanished together/);
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
  });

  test("a move's record sends a unit elsewhere, to the machine that it names", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.run();
    const move = { instance: "a.service", from: idOf("m1"), to: idOf("m3"), because: "rebalance", at: 0 };
    cluster.obey().moves.set("a.service", move);
    cluster.run();
    cluster.obey().run();
    assert.deepEqual(cluster.where("a.service"), ["m3"]);
  });
});
