// What is foretold must be what the leader really does.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Machine } from "../../../src/model/machine.ts";
import { Play } from "../../../src/scheduler/foretelling/play.ts";
import { type Supposition, type WhatIf, whatIf } from "../../../src/scheduler/foretelling/what-if.ts";
import { idOf, Sketch, threeMachines } from "../sketch.ts";
import { clusterOf, machineNames, settle, wishes } from "../wishes.ts";

function suppose(cluster: Sketch, supposition: Supposition): WhatIf {
  const { placements } = cluster;
  const work = whatIf(cluster.snapshot(), supposition, { placements, facts: cluster.facts(), deciders: [] });
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

const named = (cluster: Sketch, ids: readonly string[]): string[] =>
  ids.map((id) => cluster.members.get(id)?.name ?? id).sort();

describe("what if", () => {
  test("a machine is lost: its units move where the leader would put them", () => {
    const cluster = settle(threeMachines().unit("a.service").unit("b.service").unit("c.service"));
    const outcome = suppose(cluster, { lost: [idOf("m2")] });
    assert.deepEqual(outcome.moves, [
      {
        instance: "b.service",
        from: [idOf("m2")],
        to: [idOf("m1")],
        because: "moved from m2: its lease ran out; fewest units (1)",
      },
    ]);
    assert.ok(outcome.fits && outcome.settled);
    assert.deepEqual(
      outcome.machines.map(({ name, state, before, after }) => [
        name,
        state,
        before.instances,
        after.instances,
      ]),
      [
        ["m1", "stays", 1, 2],
        ["m2", "lost", 1, 0],
        ["m3", "stays", 1, 1],
      ],
    );
  });

  test("a machine is lost whose unit fits nowhere else", () => {
    const cluster = settle(
      new Sketch()
        .machine("m1", { disk: "ssd" })
        .machine("m2")
        .machine("m3")
        .unit("db.service", "MachineMetadata=disk=ssd"),
    );
    const { unplaced, fits } = suppose(cluster, { lost: [idOf("m1")] });
    assert.deepEqual(unplaced, [
      {
        instance: "db.service",
        from: [idOf("m1")],
        reason: "no machine fits: m2, m3 has no disk=ssd",
        already: false,
      },
    ]);
    assert.equal(fits, false);
  });

  test("two machines of three are lost: the leader would hold back, and says so", () => {
    const cluster = settle(threeMachines().unit("a.service").unit("b.service").unit("c.service"));
    const { alarms, unplaced, fits } = suppose(cluster, { lost: [idOf("m2"), idOf("m3")] });
    assert.match(alarms[0] ?? "", /^2 of 3 machines vanished together \(m2, m3\)/);
    assert.deepEqual(
      unplaced.map(({ instance }) => instance),
      ["b.service", "c.service"],
    );
    assert.equal(fits, false);
  });

  test("a global unit is not elsewhere when a machine is lost, and not without a place", () => {
    const cluster = settle(threeMachines().unit("g.service", "Global=true"));
    const { moves, unplaced, fits } = suppose(cluster, { lost: [idOf("m3")] });
    assert.deepEqual(named(cluster, moves[0]?.to ?? []), ["m1", "m2"]);
    assert.deepEqual(unplaced, []);
    assert.ok(fits);
  });

  test("a machine is added: what waits for one like it gets its place", () => {
    const cluster = settle(threeMachines().unit("db.service", "MachineMetadata=disk=ssd"));
    const [m1] = cluster.machines.values();
    assert.ok(m1);
    const added: Machine = { ...m1, id: "f".repeat(32), name: "new", metadata: { disk: "ssd" } };
    const { moves, fits, machines } = suppose(cluster, { added: [added] });
    assert.deepEqual(moves[0]?.to, [added.id]);
    assert.ok(fits);
    assert.equal(machines.find(({ id }) => id === added.id)?.after.instances, 1);
    assert.equal(cluster.machines.size, 3);
  });

  test("a leader that has watched for a moment only is not what is asked about", () => {
    const cluster = settle(threeMachines().unit("a.service"));
    cluster.continuousSinceMs = cluster.nowMs;
    assert.equal(suppose(cluster, { lost: [idOf("m1")] }).moves.length, 1);
    cluster.continuousSinceMs = undefined;
    assert.equal(suppose(cluster, { lost: [idOf("m1")] }).moves.length, 1);
  });
});

test("what is foretold of a lost machine is what the leader then does", () => {
  fc.assert(
    fc.property(wishes, fc.nat(6), fc.constantFrom(...machineNames), (lines, replicas, name) => {
      const cluster = clusterOf(lines, replicas);
      const { placements } = cluster;
      const begun = new Play(cluster.snapshot(), { placements, facts: cluster.facts(), deciders: [] }).run();
      if (!begun.isSettled) return;
      settle(cluster);
      const before = new Map([...cluster.units.keys()].map((unit) => [unit, cluster.where(unit)]));
      const outcome = suppose(cluster, { lost: [idOf(name)] });
      cluster.lose(name);
      settle(cluster);
      for (const unit of [...cluster.units.keys(), ...[1, 2, 3, 4, 5, 6].map((n) => `web@${n}.service`)]) {
        const now = cluster.where(unit).filter((machine) => machine !== name);
        const foretold = outcome.moves.find(({ instance }) => instance === unit);
        const isNowhere = outcome.unplaced.some(({ instance }) => instance === unit);
        if (foretold !== undefined) assert.deepEqual(named(cluster, foretold.to), now, unit);
        else if (isNowhere) assert.deepEqual(now, [], unit);
        else if (before.has(unit)) assert.deepEqual(now, before.get(unit), unit);
      }
    }),
    { numRuns: 150 },
  );
});
