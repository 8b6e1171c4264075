import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PlannedMove } from "../../src/model/forecast.ts";
import type { Confirmation, Operation } from "../../src/model/operation.ts";
import { guard } from "../../src/safeguards/guard.ts";
import { type OperationPlan, withForecast } from "../../src/safeguards/operation-plan.ts";
import { plan } from "../../src/safeguards/plan.ts";
import { progressOf } from "../../src/safeguards/progress.ts";
import { forecastDrain } from "../../src/scheduler/moving/forecast.ts";
import { idOf, Sketch, threeMachines } from "../scheduler/sketch.ts";

function planDrain(cluster: Sketch, machine: string): OperationPlan {
  let ids = 0;
  const planned = plan({ kind: "drain", machine, reason: "" }, cluster.snapshot(), {
    bodies: () => undefined,
    placements: cluster.placements,
    context: { who: "ada", via: "test", nowMs: cluster.wallMs(), newId: () => `op${(ids += 1)}` },
  });
  const options = { placements: cluster.placements, facts: cluster.facts() };
  return withForecast(planned, forecastDrain(cluster.snapshot(), idOf(machine), options));
}

const refusalOf = (planned: OperationPlan, confirm: Confirmation = {}): string | undefined =>
  guard(planned, confirm, "demo")?.code;

describe("the plan of a drain", () => {
  test("names each unit with its way, and which are down meanwhile", () => {
    const cluster = threeMachines().unit("a.service").unit("b.service", "MachineOf=a.service");
    cluster.unit("web@.service", "", { replicas: 3 }).unit("all.service", "Global=yes");
    cluster.unit(
      "safe.service",
      "[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineMetadata=\n[X-Keelson]\nMaxSurge=1\n",
    );
    cluster.run();
    cluster.obey();
    const on = [...(cluster.schedule.get(idOf("m1"))?.keys() ?? [])].toSorted();
    const planned = planDrain(cluster, "m1");
    const moves = planned.forecast?.moves ?? [];
    assert.deepEqual(moves.map(({ instance }) => instance).toSorted(), on);
    for (const { instance, to, isDown } of moves) {
      const isGlobal = instance === "all.service";
      assert.equal(to === undefined, isGlobal, instance);
      assert.equal(isDown, ["a.service", "b.service"].includes(instance), instance);
    }
    assert.deepEqual(planned.operation.moves?.length, on.length);
    assert.equal(refusalOf(planned), undefined);
    assert.deepEqual(cluster.pass().groups, [], "nothing was changed");
  });

  test("is refused when units would be left without a machine, or with none that takes any", () => {
    const cluster = threeMachines().unit("a.service", "MachineID=m1");
    cluster.run();
    cluster.obey();
    const planned = planDrain(cluster, "m1");
    assert.deepEqual(
      planned.forecast?.stranded.map(({ instance }) => instance),
      ["a.service"],
    );
    const refused = guard(planned, {}, "demo");
    assert.equal(refused?.code, "KEEL-531");
    assert.match(refused.message, /a\.service \(.*m2, m3 is not the machine m1\)/);
    assert.equal(refusalOf(planned, { stranded: true }), undefined);
    cluster.close("m2").lose("m3");
    assert.equal(refusalOf(planDrain(cluster, "m1"), { stranded: true }), "KEEL-532");
    assert.equal(refusalOf(planDrain(cluster, "m1"), { stranded: true, scope: "demo" }), undefined);
  });
});

describe("the progress of a drain", () => {
  const operationOf = (cluster: Sketch, ...moves: readonly PlannedMove[]): Operation => ({
    id: "op1",
    who: "",
    via: "",
    summary: "",
    kind: "drain",
    changes: [],
    moves: [...moves],
    impact: { affected: 0, total: 0, percent: 0, instances: 0, reversible: "exactly" },
    at: cluster.wallMs(),
    expires: cluster.wallMs() + 1,
    state: "applied",
  });

  function look(cluster: Sketch, it: Operation): string {
    const { unplaced: waiting, stays } = cluster.pass();
    const { outcome, items } = progressOf(it, cluster.snapshot(), {
      nowMs: cluster.wallMs(),
      waiting,
      stays,
    });
    return [outcome, ...items.map(({ instance, state, reason }) => `${instance} ${state} ${reason}`)]
      .map((line) => line.trim())
      .join("\n");
  }

  test("follows each unit until it is healthy elsewhere", () => {
    const cluster = threeMachines().unit("a.service").unit("all.service", "Global=yes");
    cluster.run();
    cluster.obey().drain("m1");
    const it = operationOf(
      cluster,
      { instance: "a.service", from: idOf("m1"), to: idOf("m2") },
      { instance: "all.service", from: idOf("m1") },
    );
    assert.match(
      look(cluster, it),
      /^running\na\.service pending waits for its turn\nall\.service pending runs on every/,
    );
    cluster.run();
    assert.match(look(cluster, it), /a\.service pending m1 is stopping it/);
    cluster.obey().run();
    assert.match(look(cluster, it), /a\.service pending waits for m2/);
    cluster.obey().run();
    cluster.obey();
    assert.equal(look(cluster, it), "succeeded\na.service ready\nall.service ready");
  });

  test("ends when a unit fits nowhere else, or the drain was taken back", () => {
    const cluster = threeMachines().unit("a.service", "MachineID=m1");
    cluster.run();
    cluster.obey().drain("m1");
    const it = operationOf(cluster, { instance: "a.service", from: idOf("m1") });
    assert.match(look(cluster, it), /^failed\na\.service failed fits nowhere else/);
    cluster.drain("m1", cluster.wallMs() + 60_000);
    assert.match(look(cluster, it), /^running\na\.service pending fits nowhere else/);
    cluster.reopen("m1");
    assert.match(
      look(cluster, it),
      /^failed\na\.service failed stays where it is: it is not to move any more/,
    );
  });
});

describe("undo of a rebalancing", () => {
  test("gives up what has not begun, and takes back what is over", () => {
    const cluster = threeMachines().unit("a.service").unit("b.service");
    cluster.run();
    cluster.obey();
    const nowMs = cluster.wallMs();
    const move = (instance: string) => ({
      instance,
      from: idOf("m3"),
      to: idOf("m1"),
      because: "",
      at: nowMs,
    });
    const done: Operation = {
      id: "op1",
      who: "",
      via: "",
      summary: "rebalance",
      kind: "rebalance",
      changes: [],
      records: ["a.service", "b.service"].map((name) => ({ kind: "move", name, after: move(name) })),
      impact: { affected: 0, total: 2, percent: 0, instances: 0, reversible: "for 72 hours" },
      at: nowMs,
      expires: nowMs + 1e6,
      state: "applied",
    };
    cluster.moves.set("b.service", move("b.service"));
    const snapshot = { ...cluster.snapshot(), operations: new Map([["op1", done]]) };
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    const { operation } = plan({ kind: "undo" }, snapshot, {
      bodies: () => undefined,
      placements: cluster.placements,
      context: { who: "", via: "", nowMs, newId: () => "op2" },
    });
    const [a, b] = operation.records ?? [];
    const back = { instance: "a.service", from: idOf("m1"), to: idOf("m3") };
    assert.deepEqual(a?.after, { ...back, because: "the move here was undone", at: nowMs });
    assert.deepEqual([b?.name, b?.after], ["b.service", undefined]);
    assert.deepEqual(operation.moves, [back]);
  });
});
