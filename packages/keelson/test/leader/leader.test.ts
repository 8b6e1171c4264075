import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Decider, nothingToDo } from "../../src/model/decision.ts";
import { keys } from "../../src/model/keys.ts";
import { operationCodec } from "../../src/model/operation.ts";
import { machineId, operationRecord, unitRecord } from "../registry/records.ts";
import { keptLog, Stage } from "./stage.ts";

const threeMachines = (stage: Stage): void => [1, 2, 3].forEach((number) => stage.machine(number));

describe("the leader", () => {
  test("places what is wanted, takes back what is not, and says who wrote it", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("a.service");
    const { leader } = await stage.candidate(1);
    assert.equal(leader.isLeading, true);
    stage.unit("b.service");
    await stage.pass(50);
    assert.equal(stage.placed(), "a.service m1, b.service m2");
    const key = stage.store.values.find((value) => value.key.startsWith("/keelson/leader/"));
    assert.deepEqual(
      stage.orders().map(({ entry }) => entry.fence),
      [key?.createRevision, key?.createRevision],
    );
    stage.report(1);
    stage.unit("a.service", { desired: "inactive", generation: 2 });
    await stage.pass(50);
    assert.equal(stage.placed(), "b.service m2");
  });

  test("writes a thousand orders in transactions that the store takes", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("web@.service", { replicas: 1000 });
    await stage.candidate(1);
    await stage.pass(500);
    assert.equal(stage.orders().length, 1000);
  });

  test("goes on at once when one pass does not place all newcomers", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("web@.service", { replicas: 4500 });
    const { metrics } = await stage.candidate(1);
    await stage.pass(500);
    assert.equal(stage.orders().length, 4500);
    assert.match(metrics.render(), /keelson_unplaced_instances 0\n/);
  });

  test("does nothing at rest", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("a.service");
    const { metrics } = await stage.candidate(1);
    stage.report(1);
    await stage.pass(1000);
    const writes = stage.store.writes;
    const passes = /keelson_scheduler_passes_total (\d+)/.exec(metrics.render())?.[1];
    await stage.pass(30_000);
    assert.equal(stage.store.writes, writes);
    assert.equal(/keelson_scheduler_passes_total (\d+)/.exec(metrics.render())?.[1], passes);
  });

  test("a unit whose file is damaged keeps nobody else waiting", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("a.service");
    stage.unit("b.service", { hash: "f".repeat(64) });
    stage.unit("c.service", {}, "[X-Fleet]\nOops=1\n");
    stage.write({ put: keys.body("e".repeat(64)), value: "something else" });
    stage.write({
      put: keys.unit("d.service"),
      value: JSON.stringify(unitRecord("d.service", { hash: "e".repeat(64) })),
    });
    const kept = keptLog();
    await stage.candidate(1, kept.log);
    await stage.pass(100);
    assert.equal(stage.placed(), "a.service m1");
    assert.ok(kept.lines.some((line) => line.includes("a unit file could not be read")));
  });
});

describe("deciders in trouble", () => {
  test("one that throws at every look does not keep units from their machines", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    const ill: Decider = {
      name: "ill",
      decide: () => {
        throw new RangeError("Invalid time value");
      },
    };
    const { leader } = await stage.candidate(1, undefined, [ill]);
    stage.unit("a.service");
    await stage.pass(100);
    assert.equal(stage.placed(), "a.service m1");
    assert.match(stage.alarm("decider-ill") ?? "", /Invalid time value/);
    await stage.pass(60_000);
    assert.equal(leader.isLeading, true);
  });

  test("one that writes for ever is stopped, and units go to their machines meanwhile", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    const restless: Decider = {
      name: "restless",
      decide: ({ snapshot, nowMs }) => {
        const before = snapshot.moves.get("a.service");
        const after = { instance: "a.service", from: "", because: "", at: (before?.at ?? 0) + 1 };
        const records = [{ kind: "move" as const, name: "a.service", ...(before && { before }), after }];
        return { ...nothingToDo, records, againMs: nowMs };
      },
    };
    const { metrics } = await stage.candidate(1, undefined, [restless]);
    await stage.pass(59_000);
    const writes = stage.store.writes;
    assert.ok(writes < 1000, `${writes} writes`);
    assert.match(stage.alarm("decider-restless") ?? "", /a\.service/);
    stage.unit("b.service");
    await stage.pass(100);
    assert.equal(stage.placed(), "b.service m1");
    assert.match(metrics.render(), /keelson_scheduler_passes_total/);
  });
});

describe("elections", () => {
  test("when the leader resigns the next one goes on at once", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    const first = await stage.candidate(1);
    const second = await stage.candidate(2);
    assert.equal(second.leader.isLeading, false);
    await first[Symbol.asyncDispose]();
    stage.unit("a.service");
    await stage.pass(100);
    assert.equal(second.leader.isLeading, true);
    assert.equal(stage.placed(), "a.service m1");
  });

  test("a leader that is cut off writes nothing more, not even when it is back", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    const first = await stage.candidate(1);
    const second = await stage.candidate(2);
    first.door.state = "cut";
    stage.unit("a.service");
    await stage.pass(6000);
    assert.equal(first.leader.isLeading, false, "it knows by its own clock");
    assert.equal(second.leader.isLeading, true);
    const [order] = stage.orders();
    first.door.state = "open";
    await stage.pass(10_000);
    assert.deepEqual(
      stage.orders(),
      [order].flatMap((it) => it ?? []),
    );
    assert.equal(first.leader.isLeading, false);
  });

  test("orders of a deposed leader that arrive late are not taken", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    const first = await stage.candidate(1);
    const second = await stage.candidate(2);
    first.door.holdUp();
    stage.unit("a.service");
    await stage.pass(50);
    first.door.state = "cut";
    await stage.pass(6000);
    assert.equal(second.leader.isLeading, true);
    assert.equal(stage.placed(), "a.service m1");
    stage.report(1);
    stage.unit("a.service", { desired: "inactive", generation: 2 });
    await stage.pass(100);
    assert.equal(stage.placed(), "");
    const answers = first.door.letGo().map(({ succeeded }) => succeeded);
    assert.deepEqual(answers, [false]);
    assert.equal(stage.placed(), "");
  });

  test("a leader whose write may have arrived makes sure that it cannot arrive any more", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    const { door, leader } = await stage.candidate(1);
    const fence = (): number | undefined =>
      stage.store.values.find(({ key }) => key.startsWith("/keelson/leader/"))?.createRevision;
    const before = fence();
    stage.unit("a.service");
    await stage.clock.advance(1);
    // The watch still told it of the unit; its own write meets silence.
    door.state = "cut";
    await stage.pass(3300);
    door.state = "open";
    await stage.pass(6000);
    assert.equal(leader.isLeading, true);
    assert.notEqual(fence(), before, "under a new key, which the old write does not fit");
    assert.equal(stage.placed(), "a.service m1");
  });
});

describe("machines that are gone", () => {
  test("their units move when the lease has run out, not before", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("a.service");
    await stage.candidate(2);
    stage.report(1);
    await stage.pass(10_000);
    stage.crash(1);
    await stage.pass(5900);
    assert.equal(stage.placed(), "a.service m1");
    await stage.pass(2200);
    assert.equal(stage.placed(), "a.service m2");
    assert.match(stage.orders()[0]?.entry.because ?? "", /^moved from m1: its lease ran out/);
  });

  test("their units do not move when they return while the orders are under way", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("a.service");
    const { door, leader } = await stage.candidate(2);
    stage.report(1);
    await stage.pass(10_000);
    stage.crash(1);
    await stage.pass(5000);
    door.holdUp();
    await stage.pass(3100);
    stage.machine(1);
    const answers = door.letGo().map(({ succeeded }) => succeeded);
    assert.deepEqual(answers, [false]);
    await stage.pass(10_000);
    assert.equal(leader.isLeading, true);
    assert.equal(stage.placed(), "a.service m1");
  });

  test("a candidate that has watched all along moves them as soon as it is elected", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("a.service");
    const first = await stage.candidate(1);
    await stage.candidate(2);
    stage.report(1);
    await stage.pass(10_000);
    // Machine 1 dies with the leader on it.
    first.door.state = "cut";
    stage.crash(1);
    await stage.pass(8500);
    assert.equal(stage.placed(), "a.service m2");
  });

  test("a leader that has seen nothing yet holds back for a lease", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("a.service");
    const first = await stage.candidate(2);
    stage.report(1);
    await first[Symbol.asyncDispose]();
    stage.crash(1);
    await stage.pass(7000);
    await stage.candidate(3);
    await stage.pass(5500);
    assert.equal(stage.placed(), "a.service m1");
    await stage.pass(1000);
    assert.equal(stage.placed(), "a.service m2");
  });

  test("an outage of the store moves nothing", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    for (const name of ["a", "b", "c", "d"]) stage.unit(`${name}.service`);
    await stage.candidate(1);
    await stage.candidate(2);
    await stage.pass(10_000);
    const before = stage.placed();
    stage.store.stop();
    await stage.pass(60_000);
    stage.store.start();
    await stage.pass(30_000);
    assert.equal(stage.placed(), before);
    stage.unit("e.service");
    await stage.pass(100);
    assert.equal(stage.placed(), `${before}, e.service m2`);
  });

  test("who told others that it has no contact holds back anew", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("a.service");
    const { machines } = await stage.candidate(2);
    stage.report(1);
    await stage.pass(10_000);
    stage.crash(1);
    await stage.pass(6100);
    machines.interrupt();
    await stage.pass(5000);
    assert.equal(stage.placed(), "a.service m1");
    await stage.pass(4000);
    assert.equal(stage.placed(), "a.service m2");
  });

  test("too many at once raise an alarm, which goes when they return", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("a.service");
    stage.unit("b.service");
    await stage.candidate(3);
    await stage.pass(10_000);
    const before = stage.placed();
    stage.crash(1);
    stage.crash(2);
    await stage.pass(30_000);
    assert.equal(stage.placed(), before);
    assert.match(stage.alarm("mass-failure") ?? "", /^2 of 3 machines vanished together/);
    stage.machine(1);
    stage.machine(2);
    await stage.pass(500);
    assert.equal(stage.alarm("mass-failure"), undefined);
    assert.equal(stage.placed(), before);
  });
});

describe("what others left behind", () => {
  test("an operation that nobody carries on is carried on", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    await stage.candidate(1);
    stage.unit("template.service", { desired: "inactive" });
    const template = stage.store.values.find(({ key }) => key === keys.unit("template.service"));
    const { hash } = JSON.parse(new TextDecoder().decode(template?.value)) as { hash: string };
    const changes = [1, 2, 3].map((n) => ({
      unit: `u${n}.service`,
      after: unitRecord(`u${n}.service`, { hash }),
    }));
    const value = operationCodec.encode(
      operationRecord("op1", changes, { state: "applying", expires: Number.MAX_SAFE_INTEGER }),
    );
    stage.write({ put: keys.operation("op1"), value });
    await stage.pass(4000);
    assert.equal(stage.placed(), "");
    await stage.pass(3000);
    assert.equal(stage.placed(), "u1.service m1, u2.service m2, u3.service m3");
  });

  test("orders of a machine that was removed go", async () => {
    await using stage = new Stage();
    threeMachines(stage);
    stage.unit("all.service", {}, "[Service]\nExecStart=/bin/true\n[X-Fleet]\nGlobal=yes\n");
    await stage.candidate(1);
    stage.crash(3);
    await stage.pass(8000);
    stage.write({ delete: keys.member(machineId(3)) });
    await stage.pass(100);
    assert.equal(stage.placed(), "all.service m1, all.service m2");
  });
});
