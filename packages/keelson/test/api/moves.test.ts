// Cordons, drains and rebalancing over HTTP: planned, guarded, shown, followed and taken back.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { file, fill, runApi } from "./running-api.ts";
import type { RunningApi } from "./running-api.ts";

const pinned = "[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineID=m1\n";

/** Three machines; the units run on m1. */
async function running(files: Readonly<Record<string, string | undefined>>): Promise<RunningApi> {
  const api = await runApi();
  const records = fill(api.store);
  for (const number of [1, 2, 3]) records.machine(number);
  const contents = Object.entries(files).map(([name, text]) => file(name, text));
  await api.operate({ kind: "submit", files: contents, desired: "launched" });
  for (const name of Object.keys(files)) {
    const { hash } = (await api.ask({ path: `/v1/units/${name}` })).json.unit;
    records.order(1, name, { hash });
    records.status(1, name, { hash });
  }
  return api;
}

const plan = (api: RunningApi, intent: unknown) =>
  api.ask({ method: "POST", path: "/v1/plan", json: { intent } });

const machine = async (api: RunningApi, name: string) =>
  (await api.ask({ path: "/v1/machines" })).json.machines.find((one: { name: string }) => one.name === name);

describe("cordon and drain", () => {
  test("a cordon is shown, and taken back by undo", async () => {
    await using api = await running({ "a.service": undefined });
    assert.equal((await machine(api, "m1")).cordoned, undefined);
    const made = await api.operate({ kind: "cordon", machine: "m1", cordoned: true });
    assert.equal(made.status, 201);
    assert.equal(made.json.records, 1);
    assert.equal((await machine(api, "m1")).cordoned, true);
    assert.equal((await api.operate({ kind: "cordon", machine: "m1", cordoned: true })).status, 200);
    assert.equal((await api.operate({ kind: "undo" })).status, 201);
    assert.equal((await machine(api, "m1")).cordoned, undefined);
  });

  test("the plan of a drain says where everything goes, and changes nothing", async () => {
    await using api = await running({ "a.service": undefined, "b.service": undefined });
    const { json } = await plan(api, { kind: "drain", machine: "m1" });
    const { moves, stranded, machines, isLastMachine } = json.forecast;
    const nameOf = (id: string) => machines[id];
    assert.deepEqual(
      moves.map((move: any) => [move.instance, nameOf(move.from), nameOf(move.to), move.isDown]),
      [
        ["a.service", "m1", "m2", true],
        ["b.service", "m1", "m3", true],
      ],
    );
    assert.deepEqual([stranded, isLastMachine, json.refusal], [[], false, null]);
    assert.equal((await machine(api, "m1")).drain, undefined);
  });

  test("a drain that strands a unit is refused with its plan, and let through when that is confirmed", async () => {
    await using api = await running({ "a.service": undefined, "pin.service": pinned });
    const intent = { kind: "drain", machine: "m1", reason: "new disk", deadlineSeconds: 600 };
    const refused = await api.operate(intent);
    assert.equal(refused.status, 409);
    assert.equal(refused.json.error.code, "KEEL-531");
    assert.equal(refused.json.error.details.needs, "--allow-stranded");
    assert.equal(refused.json.error.details.plan.forecast.stranded[0].instance, "pin.service");
    const made = await api.operate(intent, { stranded: true });
    assert.equal(made.status, 201);
    const { drain } = await machine(api, "m1");
    assert.equal(drain.reason, "new disk");
    assert.equal(drain.deadline - drain.since, 600_000);
    const stream = await api.open({ path: `/v1/operations/${made.json.id}/progress` });
    const [line] = await stream.take(1).toArray();
    stream.destroy();
    const progress = JSON.parse(String(line).split("\n")[0] ?? "");
    assert.deepEqual(
      progress.items.map(({ instance, want, state }: any) => [instance, want, state]),
      [
        ["a.service", "moved", "pending"],
        ["pin.service", "moved", "pending"],
      ],
    );
  });

  test("what the cluster cannot lose meanwhile is said", async () => {
    const disk = "[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineMetadata=disk=ssd\n";
    await using api = await runApi();
    const records = fill(api.store);
    for (const number of [1, 2, 3]) records.machine(number);
    for (const name of ["m1", "m2"]) {
      await api.operate({ kind: "set-metadata", machine: name, metadata: { disk: "ssd" } });
    }
    await api.operate({ kind: "submit", files: [file("db.service", disk)], desired: "launched" });
    const { json } = await plan(api, { kind: "drain", machine: "m1" });
    assert.deepEqual(json.notes, [
      "until it is back in service the cluster cannot lose m2: db.service would be nowhere",
    ]);
  });

  test("garbage is refused before anything is looked at", async () => {
    await using api = await running({ "a.service": undefined });
    for (const intent of [
      { kind: "drain" },
      { kind: "drain", machine: "m1", deadlineSeconds: 0 },
      { kind: "drain", machine: "m1", reason: "x".repeat(501) },
      { kind: "cordon", machine: "m1" },
      { kind: "rebalance", most: 51 },
      { kind: "rebalance", most: 1.5 },
    ]) {
      assert.equal((await api.operate(intent)).status, 400, JSON.stringify(intent));
    }
    assert.equal((await api.operate({ kind: "drain", machine: "m9" })).json.error.code, "KEEL-502");
  });
});

describe("rebalancing", () => {
  test("is planned with its reasons, made as records of moves, and given up by undo", async () => {
    const names = ["a", "b", "c", "d"].map((letter) => `${letter}.service`);
    await using api = await running(Object.fromEntries(names.map((name) => [name, undefined])));
    const { json } = await plan(api, { kind: "rebalance" });
    assert.equal(json.forecast.moves.length, 2);
    assert.match(json.forecast.moves[0].because, /^rebalance: m1 has 4 units, m2 has 0$/);
    const made = await api.operate({ kind: "rebalance", most: 1 });
    assert.equal(made.json.summary, "rebalance: move 1 instance");
    const moves = () => [...api.store.values].filter(({ key }) => key.startsWith("/keelson/moves/"));
    assert.equal(moves().length, 1);
    const again = await api.operate({ kind: "rebalance" });
    assert.deepEqual([again.status, again.json.error.code], [409, "KEEL-533"]);
    assert.equal((await api.operate({ kind: "undo" })).status, 201);
    assert.equal(moves().length, 0);
  });
});
