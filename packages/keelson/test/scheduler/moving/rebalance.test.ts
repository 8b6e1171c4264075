import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { autoRebalance } from "../../../src/scheduler/moving/auto-rebalance.ts";
import { planRebalance, type RebalancePlan } from "../../../src/scheduler/moving/rebalance.ts";
import { moveRecords } from "../../../src/scheduler/moving/records.ts";
import { idOf, leaseMs, Sketch, threeMachines } from "../sketch.ts";

const rebalance = (cluster: Sketch, most = 50): RebalancePlan =>
  planRebalance(cluster.snapshot(), { placements: cluster.placements, facts: cluster.facts() }, { most });

/** Moves, until nothing is on its way. */
function settle(cluster: Sketch): void {
  for (let round = 0; round < 60; round++) {
    cluster.decide(moveRecords);
    const { groups } = cluster.run(1000);
    cluster.obey();
    if (groups.length === 0 && cluster.moves.size === 0) return;
  }
  assert.fail("it does not come to rest");
}

function carryOut(cluster: Sketch, { moves }: RebalancePlan): void {
  for (const { instance, from, to, because } of moves) {
    cluster.moves.set(instance, { instance, from, to, because, at: cluster.wallMs() });
  }
  settle(cluster);
}

const loads = (cluster: Sketch): number[] =>
  [...cluster.machines.keys()].map((id) => cluster.schedule.get(id)?.size ?? 0);

describe("rebalancing", () => {
  test("moves replicas to a machine that has none, and units to the one with the fewest, and says why", () => {
    const cluster = new Sketch().machine("m1").machine("m2").unit("web@.service", "", { replicas: 4 });
    for (const name of ["a", "b", "c", "d"]) cluster.unit(`${name}.service`);
    cluster.run();
    cluster.obey().machine("m3");
    const plan = rebalance(cluster);
    assert.ok(plan.moves.every(({ to }) => to === idOf("m3")));
    const reasons = plan.moves.map(({ because }) => because);
    assert.ok(
      reasons.some((words) => /^m[12] has 2 of web@.service, m3 has 0$/.test(words)),
      reasons.join(),
    );
    carryOut(cluster, plan);
    assert.deepEqual(
      loads(cluster).toSorted((a, b) => a - b),
      [2, 3, 3],
    );
    assert.deepEqual(rebalance(cluster).moves, []);
  });

  test("moves no more than asked for", () => {
    const cluster = new Sketch().machine("m1").unit("web@.service", "", { replicas: 9 });
    cluster.run();
    cluster.obey().machine("m2");
    assert.equal(rebalance(cluster, 2).moves.length, 2);
  });

  test("leaves alone what has its place: pinned, global, beside another, cordoned", () => {
    const cluster = new Sketch().machine("m1").unit("pin@.service", "MachineID=m1", { replicas: 5 });
    cluster.unit("all.service", "Global=yes").unit("a.service").unit("b.service", "MachineOf=a.service");
    cluster.run();
    cluster.obey().machine("m2").run();
    cluster.obey();
    assert.deepEqual(rebalance(cluster).moves, []);
    cluster.unit("c.service", "MachineID=m1").run();
    cluster.obey().unit("c.service");
    cluster.run();
    cluster.obey();
    assert.equal(rebalance(cluster).moves.length, 1);
    cluster.close("m1");
    assert.deepEqual(rebalance(cluster).moves, []);
  });

  test("not while anything is on its way, and it says what", () => {
    const cluster = new Sketch().machine("m1").unit("web@.service", "", { replicas: 4 });
    cluster.run();
    cluster.machine("m2");
    cluster.obey().unit("new.service");
    assert.equal(rebalance(cluster).waitsFor, "units are being placed or stopped");
    cluster.run();
    cluster.obey();
    assert.equal(rebalance(cluster).waitsFor, undefined);
    cluster.lose("m1");
    assert.match(rebalance(cluster).waitsFor ?? "", /^m1 does not report/);
  });
});

describe("automatic rebalancing", () => {
  const minute = 60_000;
  /** Runs until nothing happens; how many operations there were. */
  function live(cluster: Sketch, minutes: number): number {
    let operations = 0;
    for (let at = 0; at < minutes; at++) {
      cluster.nowMs += minute - (cluster.wallMs() % minute);
      operations += cluster.decide(autoRebalance).operations.length;
      settle(cluster);
    }
    return operations;
  }

  const switchedOn = (cluster: Sketch): Sketch => {
    cluster.autoRebalance = true;
    return cluster;
  };

  test("is off unless switched on", () => {
    const cluster = new Sketch().machine("m1").unit("web@.service", "", { replicas: 6 });
    cluster.run();
    cluster.obey().machine("m2");
    assert.equal(live(cluster, 30), 0);
    assert.ok(live(switchedOn(cluster), 30) > 0);
    assert.deepEqual(loads(cluster), [3, 3]);
  });

  test("property: it comes to rest, and never takes back what it did", () => {
    const world = fc.record({
      machines: fc.integer({ min: 2, max: 5 }),
      first: fc.integer({ min: 1, max: 2 }),
      templates: fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 3 }),
      singles: fc.nat(8),
      memory: fc.boolean(),
      zones: fc.boolean(),
    });
    fc.assert(
      fc.property(world, ({ machines, first, templates, singles, memory, zones }) => {
        const cluster = switchedOn(new Sketch());
        const join = (n: number): unknown => cluster.machine(`m${n}`, zones ? { zone: `z${n % 2}` } : {});
        for (let n = 1; n <= first; n++) join(n);
        const more = `${memory ? "MemoryRequest=20M\n" : ""}${zones ? "SpreadOver=zone\n" : ""}`;
        const body = `[Service]\nExecStart=/bin/true\n[X-Keelson]\n${more}`;
        for (const [index, replicas] of templates.entries())
          cluster.unit(`t${index}@.service`, body, { replicas });
        for (let n = 0; n < singles; n++) cluster.unit(`s${n}.service`);
        settle(cluster);
        for (let n = first + 1; n <= machines; n++) join(n);
        const left = new Map<string, Set<string>>();
        for (let at = 0; at < 40; at++) {
          cluster.nowMs += 15 * minute - (cluster.wallMs() % minute);
          const [operation] = cluster.decide(autoRebalance).operations;
          settle(cluster);
          for (const { instance, from, to } of operation?.moves ?? []) {
            const known = left.get(instance) ?? new Set<string>();
            assert.ok(!known.has(to ?? ""), `${instance} goes back to ${to}`);
            left.set(instance, known.add(from));
          }
          if (operation === undefined) break;
          assert.ok(at < 39, "it goes on and on");
        }
        assert.equal(live(cluster, 20), 0, "at rest it does nothing");
      }),
      { numRuns: 100 },
    );
  });

  test("waits for machines to prove themselves, and leaves a drain alone", () => {
    const cluster = switchedOn(threeMachines()).unit("web@.service", "MachineID=m1", { replicas: 6 });
    cluster.run();
    cluster.obey().unit("web@.service", "", { replicas: 6 }).drain("m2");
    settle(cluster);
    assert.equal(live(cluster, 30), 0);
    cluster.reopen("m2");
    cluster.nowMs += 2 * leaseMs;
    assert.ok(live(cluster, 30) > 0);
  });
});
