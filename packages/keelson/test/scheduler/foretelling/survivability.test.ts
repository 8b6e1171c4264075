// Whether any one machine may be lost: the quick answer must be the one that playing the loss gives.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  mostNamed,
  type Survivability,
  survivability,
} from "../../../src/scheduler/foretelling/survivability.ts";
import { whatIf } from "../../../src/scheduler/foretelling/what-if.ts";
import { idOf, Sketch, threeMachines } from "../sketch.ts";
import { clusterOf, machineNames, settle, wishes } from "../wishes.ts";

function finish<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

const optionsOf = (cluster: Sketch) => ({
  placements: cluster.placements,
  facts: cluster.facts(),
  deciders: [],
});

const judge = (cluster: Sketch): Survivability =>
  finish(survivability(cluster.snapshot(), optionsOf(cluster)));

describe("survivability", () => {
  test("units that fit elsewhere: any machine may be lost", () => {
    const cluster = settle(threeMachines().unit("a.service").unit("web@.service", "", { replicas: 5 }));
    assert.deepEqual(judge(cluster), { indispensable: [], isCut: false, machines: 3, played: 0 });
  });

  test("a unit that fits on one machine only is named with the reason", () => {
    const cluster = settle(
      threeMachines().machine("m4", { disk: "ssd" }).unit("db.service", "MachineMetadata=disk=ssd"),
    );
    assert.deepEqual(judge(cluster).indispensable, [
      {
        machine: idOf("m4"),
        name: "m4",
        instance: "db.service",
        reason: "no machine fits: m1, m2, m3 has no disk=ssd",
        instances: 1,
      },
    ]);
  });

  test("memory that would not suffice for all together", () => {
    const cluster = new Sketch().machine("m1").machine("m2").machine("m3");
    const lines = "[Service]\nExecStart=/bin/true\n[X-Keelson]\nMemoryRequest=600M\n";
    for (const name of ["a", "b", "c"]) cluster.unit(`${name}.service`, lines);
    const { indispensable } = judge(settle(cluster));
    assert.equal(indispensable.length, 3);
    assert.match(indispensable[0]?.reason ?? "", /free, it needs 600 MiB/);
  });

  test("one machine alone cannot be lost, unless nothing runs on it", () => {
    assert.equal(judge(settle(new Sketch().machine("m1").unit("a.service"))).indispensable.length, 1);
    assert.equal(judge(new Sketch().machine("m1")).indispensable.length, 0);
  });

  test("a machine is gone already: the next one might be one too many", () => {
    const cluster = settle(threeMachines().unit("a.service").unit("b.service").unit("c.service"));
    cluster.lose("m3");
    settle(cluster);
    cluster.goneSince.set(idOf("m3"), cluster.nowMs - 1000);
    const { indispensable } = judge(cluster);
    assert.match(indispensable[0]?.reason ?? "", /^2 of 3 machines vanished together/);
  });

  test("when many are found the rest is not looked for", () => {
    const cluster = new Sketch();
    for (let n = 1; n <= 2 * mostNamed; n++)
      cluster.machine(`m${n}`).unit(`u${n}.service`, `MachineID=m${n}`);
    const outcome = judge(settle(cluster));
    assert.deepEqual([outcome.indispensable.length, outcome.isCut], [mostNamed, true]);
  });
});

test("the quick answer is that of playing each loss", () => {
  fc.assert(
    fc.property(wishes, fc.nat(8), (lines, replicas) => {
      const cluster = clusterOf(lines, replicas);
      settle(cluster);
      const quick = judge(cluster).indispensable.map(({ name }) => name);
      const played = machineNames.filter((name) => {
        const { unplaced } = finish(whatIf(cluster.snapshot(), { lost: [idOf(name)] }, optionsOf(cluster)));
        return unplaced.some(({ already }) => !already);
      });
      assert.deepEqual(quick, played);
    }),
    { numRuns: 150 },
  );
});
