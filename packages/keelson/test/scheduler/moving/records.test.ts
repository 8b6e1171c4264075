import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { moveRecords, patienceMs } from "../../../src/scheduler/moving/records.ts";
import { idOf, type Sketch, threeMachines } from "../sketch.ts";

const restless = "[Service]\nExecStart=/bin/true\n[X-Keelson]\nMoveAfter=3\nMoveWithin=10min\n";

function fail(cluster: Sketch, machine: string, count: number): void {
  cluster.obey();
  const statuses = cluster.statuses.get(idOf(machine));
  const status = statuses?.get("a.service");
  assert.ok(status !== undefined && statuses !== undefined, `a.service is on ${machine}`);
  const failures = { count, since: cluster.wallMs() - 40_000, last: cluster.wallMs() };
  statuses.set("a.service", { ...status, active: "failed", health: "failed", failures });
}

const step = (cluster: Sketch, ms = 0): void => {
  cluster.nowMs += ms;
  cluster.decide(moveRecords);
  cluster.run();
};

describe("repeated failure", () => {
  test("moves a unit elsewhere, with the reason, and remembers where it failed", () => {
    const cluster = threeMachines().unit("a.service", restless);
    cluster.run();
    fail(cluster, "m1", 2);
    step(cluster);
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    fail(cluster, "m1", 3);
    step(cluster);
    assert.deepEqual(cluster.where("a.service"), []);
    cluster.obey();
    step(cluster);
    assert.deepEqual(cluster.where("a.service"), ["m2"]);
    const entry = cluster.schedule.get(idOf("m2"))?.get("a.service");
    assert.match(entry?.because ?? "", /^moved from m1: it failed there 3 times in 40 s; fewest units/);
    assert.ok((entry?.avoids?.[idOf("m1")] ?? 0) > cluster.wallMs());
    cluster.obey();
    step(cluster);
    assert.equal(cluster.moves.size, 0, "the record has served");
    assert.match(
      cluster.why("a.service")[0]?.machines[0]?.reasons[0] ?? "",
      /^is avoided until .* it failed there$/,
    );
  });

  test("grows more patient with each machine, and stays when it has failed on all", () => {
    const cluster = threeMachines().unit("a.service", restless);
    cluster.run();
    const seen: string[] = [];
    for (let round = 0; round < 12; round++) {
      const [machine] = cluster.where("a.service");
      if (machine === undefined) cluster.obey();
      else {
        if (seen.at(-1) !== machine) seen.push(machine);
        fail(cluster, machine, 3);
      }
      step(cluster, 10_000);
    }
    assert.deepEqual(seen, ["m1", "m2", "m3"], "not round and round");
    assert.deepEqual(cluster.where("a.service"), ["m3"]);
    const avoids = cluster.schedule.get(idOf("m3"))?.get("a.service")?.avoids ?? {};
    assert.equal(Object.keys(avoids).length, 3);
    assert.equal(cluster.moves.size, 0);
    fail(cluster, "m3", 5);
    step(cluster, 6 * 60_000);
    assert.equal(cluster.moves.size, 0, "m3 is still avoided, so it does not ask again");
    fail(cluster, "m3", 5);
    step(cluster, 30 * 60_000);
    assert.deepEqual(cluster.where("a.service"), [], "its time is over: the others are tried again");
  });

  test("with MoveAfter=0 a unit stays where it fails", () => {
    const cluster = threeMachines().unit("a.service", restless.replace("After=3", "After=0"));
    cluster.run();
    fail(cluster, "m1", 50);
    step(cluster);
    assert.equal(cluster.moves.size, 0);
  });
});

describe("a move's record", () => {
  test("goes when the unit is not wanted any more, or could not move for a while", () => {
    const cluster = threeMachines().unit("a.service", "MachineID=m1").unit("b.service", "MachineID=m1");
    cluster.run();
    for (const instance of ["a.service", "b.service"]) {
      cluster.moves.set(instance, { instance, from: idOf("m1"), because: "rebalance", at: cluster.wallMs() });
    }
    cluster.obey().desire("a.service", "inactive");
    step(cluster);
    assert.deepEqual([...cluster.moves.keys()], ["b.service"]);
    assert.equal(cluster.decide(moveRecords).againMs, cluster.nowMs + patienceMs);
    step(cluster, patienceMs);
    assert.equal(cluster.moves.size, 0);
    assert.deepEqual(cluster.where("b.service"), ["m1"]);
  });
});
