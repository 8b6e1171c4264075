// What-if over HTTP: validated, bounded, and without any effect.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { errorCatalogue } from "../../src/base/error-catalogue.ts";
import { adding } from "../../src/api/supposition.ts";
import { emptyCluster } from "../../src/model/cluster.ts";
import { machineRecord } from "../registry/records.ts";
import { file, fill, runApi } from "./running-api.ts";
import type { Answer, RunningApi } from "./running-api.ts";

const ask = (api: RunningApi, json: unknown): Promise<Answer> =>
  api.ask({ method: "POST", path: "/v1/what-if", json });

/** Three machines; a.service runs on m1. */
async function running(): Promise<RunningApi> {
  const api = await runApi();
  const records = fill(api.store);
  for (const number of [1, 2, 3]) records.machine(number);
  await api.operate({ kind: "submit", files: [file("a.service")], desired: "launched" });
  const { json } = await api.ask({ path: "/v1/units/a.service" });
  records.order(1, "a.service", { hash: json.unit.hash });
  records.status(1, "a.service", { hash: json.unit.hash });
  return api;
}

describe("POST /v1/what-if", () => {
  test("a machine is lost, by name and by the beginning of its identity", async () => {
    await using api = await running();
    const { status, json } = await ask(api, { lose: ["m1"] });
    assert.equal(status, 200);
    assert.equal(json.supposed, "m1 is lost");
    assert.deepEqual([json.moves.length, json.moves[0].instance, json.fits], [1, "a.service", true]);
    const again = await ask(api, { lose: [json.machines[0].id] });
    assert.deepEqual(again.json.moves, json.moves);
  });

  test("files that are only supposed are placed, and nothing is written", async () => {
    await using api = await running();
    const before = await api.ask({ path: "/v1/snapshot" });
    const text = "[Service]\nExecStart=/bin/true\n[X-Fleet]\nMachineMetadata=gpu=yes\n";
    const intent = {
      kind: "submit",
      files: [file("b.service"), file("gpu.service", text)],
      desired: "launched",
    };
    const { json } = await ask(api, { intent });
    assert.deepEqual(
      json.moves.map(({ instance, from }: any) => [instance, from]),
      [["b.service", []]],
    );
    assert.match(json.unplaced[0].reason, /^no machine fits: m1, m2, m3 has no gpu=yes$/);
    assert.equal(json.fits, false);
    const after = await api.ask({ path: "/v1/snapshot" });
    assert.equal(after.json.revision, before.json.revision);
  });

  test("a machine is added with metadata", async () => {
    await using api = await running();
    const { json } = await ask(api, { add: { metadata: { zone: "a" }, count: 2, memoryBytes: 2 ** 32 } });
    assert.equal(json.supposed, "2 machines are added");
    assert.deepEqual(json.machines.filter(({ state }: any) => state === "added").length, 2);
    assert.deepEqual([json.moves, json.fits, json.settled], [[], true, true]);
  });

  test("a machine that is added has its own room for units, not that of the machine it is modelled after", () => {
    const first = machineRecord(1, { allocatable: { cpus: 2, memoryBytes: 3 * 2 ** 28 } });
    const snapshot = { ...emptyCluster, machines: new Map([[first.id, first]]) };
    const rooms = [2 ** 32, 2 ** 28].map((memoryBytes) => {
      const { supposition } = adding({ metadata: {}, count: 1, memoryBytes }, snapshot);
      return supposition.added?.[0]?.allocatable?.memoryBytes;
    });
    assert.deepEqual(rooms, [2 ** 32 - 2 ** 28, 2 ** 27]);
  });

  test("garbage is refused with its place", async () => {
    await using api = await running();
    const cases: readonly (readonly [unknown, number, string])[] = [
      [{}, 400, "KEEL-104"],
      [[], 400, "KEEL-104"],
      [{ lose: [] }, 400, "KEEL-104"],
      [{ lose: ["m1"], add: {} }, 400, "KEEL-104"],
      [{ lose: Array.from({ length: 1001 }, () => "m1") }, 400, "KEEL-104"],
      [{ lose: ["m9"] }, 404, "KEEL-502"],
      [{ add: { count: 1e6 } }, 400, "KEEL-104"],
      [{ add: { cpus: -1 } }, 400, "KEEL-104"],
      [{ add: { metadata: { "": "x" } } }, 400, "KEEL-104"],
      [{ intent: { kind: "purge" } }, 400, "KEEL-104"],
      [{ intent: { kind: "scale", unit: "none@", replicas: 3 } }, 404, "KEEL-501"],
    ];
    for (const [body, status, code] of cases) {
      const answer = await ask(api, body);
      assert.deepEqual([answer.status, answer.json.error.code], [status, code], JSON.stringify(body));
    }
    assert.ok(errorCatalogue["KEEL-571"]);
  });

  test("without any machine nothing can be modelled on one", async () => {
    await using api = await runApi();
    const { status, json } = await ask(api, { add: {} });
    assert.deepEqual([status, json.error.code], [404, "KEEL-502"]);
  });

  test("TCP only reads", async () => {
    await using api = await running();
    const port = api.api.listening[0]?.port ?? 0;
    const { status } = await api.ask({ method: "POST", path: "/v1/what-if", json: { lose: ["m1"] }, port });
    assert.equal(status, 403);
  });
});
