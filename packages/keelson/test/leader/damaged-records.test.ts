// Values in the store that are no records, or those of another: nothing stops, moves or starts because of them, and
// an alarm names them.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { keys } from "../../src/model/keys.ts";
import { scheduleCodec, statusCodec } from "../../src/model/schedule.ts";
import { machineId, orderRecord, statusRecord } from "../registry/records.ts";
import { keptLog, Stage } from "./stage.ts";

const job = "[Service]\nType=oneshot\nExecStart=/bin/true\n";
const timer = "[Timer]\nOnCalendar=hourly\n";
const values: readonly (string | Uint8Array)[] = [
  "",
  "{",
  "null",
  "[]",
  "{}",
  new Uint8Array([0xff, 0xfe, 0]),
  `"${"x".repeat(2 << 20)}"`,
  `${"[".repeat(50_000)}${"]".repeat(50_000)}`,
];

async function running(): Promise<Stage> {
  const stage = new Stage();
  for (const number of [1, 2, 3]) stage.machine(number);
  stage.unit("a.service");
  stage.unit("web@.service", { replicas: 3 });
  stage.unit("job.service", {}, job);
  stage.unit("tick.service", { desired: "inactive" }, job);
  stage.unit("tick.timer", {}, timer);
  await stage.candidate(1);
  await stage.pass(200);
  for (const number of [1, 2, 3]) stage.report(number);
  await stage.pass(500);
  return stage;
}

const places = (stage: Stage) => {
  const a = stage.orders().find(({ entry }) => entry.unit === "a.service")?.machine ?? "m1";
  return { machine: machineId(Number(a.slice(1))), other: machineId(Number(a.slice(1)) === 1 ? 2 : 1) };
};

const damages: Readonly<Record<string, (stage: Stage) => string>> = {
  "a unit's": () => keys.unit("a.service"),
  "a template's": () => keys.unit("web@.service"),
  "a machine's settings": (stage) => keys.machineSettings(places(stage).machine),
  "settings of no machine": () => keys.machineSettings("none"),
  "the cluster's settings": () => keys.clusterSettings,
  "a move's": () => keys.move("a.service"),
  "a rollout's": () => keys.rollout("web@.service"),
  "the versions of a unit": () => keys.versions("a.service"),
  "a job's": () => keys.job("job.service"),
  "a timer's": () => keys.timer("tick.timer"),
  "an order": (stage) => keys.schedule(places(stage).machine, "a.service"),
  "an order to another machine": (stage) => keys.schedule(places(stage).other, "a.service"),
  "a status": (stage) => keys.status(places(stage).machine, "a.service"),
  "an operation": () => keys.operation("x"),
};

/** Orders without the one whose record was spoilt. */
function ordersBut(stage: Stage, spoilt: string): string {
  return stage.store.values
    .filter(({ key }) => key.startsWith("/keelson/schedule/") && key !== spoilt)
    .map(({ key, value }) => `${key} ${new TextDecoder().decode(value)}`)
    .join("\n");
}

describe("records that cannot be read", () => {
  for (const [what, keyOf] of Object.entries(damages)) {
    test(`${what} stops and moves nothing, is named, and others go on`, async () => {
      await using stage = await running();
      const key = keyOf(stage);
      const before = ordersBut(stage, key);
      assert.match(before, /a\.service|web@1/);
      for (const value of values) {
        stage.write({ put: key, value });
        await stage.pass(300);
        assert.equal(ordersBut(stage, key), before);
        assert.ok(stage.alarm("damaged-records")?.includes(key), `${key} ${String(value).slice(0, 20)}`);
      }
      // Nor does another leader make anything of it, which never saw what was there before.
      const second = await stage.candidate(2);
      await stage.pass(12_000);
      assert.equal(ordersBut(stage, key), before);
      assert.equal(second.leader.isLeading, false);
      stage.unit("later.service");
      await stage.pass(300);
      assert.match(ordersBut(stage, key), /later\.service/);
    });
  }

  test("a leader that finds them when it is elected leaves what runs alone", async () => {
    for (const keyOf of Object.values(damages)) {
      await using stage = new Stage();
      for (const number of [1, 2, 3]) stage.machine(number);
      stage.unit("a.service");
      stage.unit("web@.service", { replicas: 3 });
      stage.unit("job.service", {}, job);
      const first = await stage.candidate(1);
      await stage.pass(200);
      for (const number of [1, 2, 3]) stage.report(number);
      await stage.pass(200);
      await first[Symbol.asyncDispose]();
      const key = keyOf(stage);
      const before = ordersBut(stage, key);
      stage.write({ put: key, value: "{" });
      await stage.candidate(2);
      await stage.pass(10_000);
      assert.equal(ordersBut(stage, key), before, key);
      assert.ok(stage.alarm("damaged-records")?.includes(key));
    }
  });

  test("the alarm is over when the record can be read again, and what was asked for meanwhile is done", async () => {
    await using stage = await running();
    stage.write({ put: keys.unit("a.service"), value: "{" });
    await stage.pass(200);
    assert.ok(stage.alarm("damaged-records"));
    stage.unit("a.service", { desired: "inactive", generation: 2 });
    await stage.pass(200);
    assert.equal(stage.alarm("damaged-records"), undefined);
    assert.doesNotMatch(stage.placed(), /a\.service/);
  });

  test("a machine's record that cannot be read makes the machine no lost one", async () => {
    await using stage = await running();
    const { machine } = places(stage);
    const before = stage.placed();
    stage.write({ put: keys.machine(machine), value: "{}" });
    await stage.pass(20_000);
    assert.equal(stage.placed(), before);
    stage.unit("later.service");
    await stage.pass(300);
    assert.match(stage.placed(), /later\.service m\d/);
  });

  test("a record under the name of another is none", async () => {
    await using stage = await running();
    const { machine, other } = places(stage);
    const before = stage.placed();
    const foreign = [
      { put: keys.schedule(other, "b.service"), value: scheduleCodec.encode(orderRecord("a.service")) },
      { put: keys.status(other, "b.service"), value: statusCodec.encode(statusRecord("a.service")) },
      { put: keys.machineSettings(other), value: JSON.stringify({ machine, cordoned: true, metadata: {} }) },
      {
        put: keys.move("b.service"),
        value: JSON.stringify({ instance: "a.service", from: machine, because: "", at: 1 }),
      },
    ];
    stage.write(...foreign);
    await stage.pass(2000);
    assert.equal(
      stage.orders().filter(({ entry }) => entry.unit === "a.service" && entry.placed > 1).length,
      1,
    );
    assert.match(stage.alarm("damaged-records") ?? "", /4 records/);
    stage.write(...foreign.map(({ put }) => ({ delete: put })));
    await stage.pass(500);
    assert.equal(stage.placed(), before);
  });

  test("moments that are no date are none", async () => {
    await using stage = await running();
    const kept = keptLog();
    const hash = "a".repeat(64);
    const record = {
      name: "tick.timer",
      unit: "tick.timer",
      target: "tick.service",
      hash,
      created: 1,
      restarts: 0,
    };
    const times = { activated: 1, last: 1e300, next: 1, due: 1e300 };
    stage.write({
      put: keys.timer("tick.timer"),
      value: JSON.stringify({ ...record, ...times, reason: "", outcome: "" }),
    });
    await stage.candidate(2, kept.log);
    await stage.pass(500);
    assert.match(stage.alarm("damaged-records") ?? "", /tick\.timer/);
  });
});
