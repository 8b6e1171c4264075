import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { optionsHash } from "../../../src/api/fleet/options.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLog } from "../../../src/base/log.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { EtcdStore } from "../../../src/registry/etcd-store.ts";
import { hashBody } from "../../../src/registry/body-cache.ts";
import { machineId } from "../../registry/records.ts";
import { file, fill, runApi } from "../running-api.ts";
import type { Answer, RunningApi } from "../running-api.ts";

const options = [
  { section: "Unit", name: "Description", value: "hello" },
  { section: "Service", name: "ExecStart", value: "/bin/sleep 1d" },
];
const text = "[Unit]\nDescription=hello\n\n[Service]\nExecStart=/bin/sleep 1d\n";
const get = (running: RunningApi, path: string): Promise<Answer> =>
  running.ask({ path: `/fleet/v1/${path}` });
const put = (running: RunningApi, name: string, json: unknown): Promise<Answer> =>
  running.ask({ method: "PUT", path: `/fleet/v1/units/${name}?alt=json`, json });

describe("fleet’s API: units", () => {
  test("nothing is the empty object", async () => {
    await using running = await runApi();
    for (const what of ["units", "state", "machines"]) {
      const { status, bytes, headers } = await get(running, what);
      assert.deepEqual([status, bytes.toString()], [200, "{}"], what);
      assert.match(headers["content-type"] ?? "", /^application\/json/);
    }
  });

  test("submitted by fleetctl: the same options, and the file that fleetctl prints", async () => {
    await using running = await runApi();
    const made = await put(running, "a%40b.service", { name: "a@b.service", options });
    assert.deepEqual([made.status, made.bytes.length], [201, 0]);
    const { json } = await get(running, "units/a%40b.service?alt=json");
    assert.deepEqual(json, {
      currentState: "inactive",
      desiredState: "inactive",
      name: "a@b.service",
      options,
    });
    const cat = await running.ask({ path: "/v1/units/a@b.service/file" });
    assert.equal(cat.bytes.toString(), text);
    const [operation] = (await running.ask({ path: "/v1/operations" })).json.operations;
    assert.equal(operation.via, "fleet");
  });

  test("submitted by keel: its options, and content that is the same stays byte for byte", async () => {
    await using running = await runApi();
    const own = `# kept\n${text}`;
    await running.operate({ kind: "submit", files: [file("a.service", own)], desired: "inactive" });
    assert.deepEqual((await get(running, "units/a.service")).json.options, options);
    assert.equal((await put(running, "a.service", { options, desiredState: "loaded" })).status, 204);
    const cat = await running.ask({ path: "/v1/units/a.service/file" });
    assert.equal(cat.bytes.toString(), own);
  });

  test("other content without a state makes it inactive, and is 201", async () => {
    await using running = await runApi();
    await put(running, "a.service", { options, desiredState: "launched" });
    assert.equal((await get(running, "units/a.service")).json.desiredState, "launched");
    const other = [{ section: "Service", name: "ExecStart", value: "/bin/true" }];
    assert.equal((await put(running, "a.service", { options: other })).status, 201);
    const { json } = await get(running, "units/a.service");
    assert.deepEqual([json.desiredState, json.options], ["inactive", other]);
  });

  test("states of a unit on its way: order, answer, stop", async () => {
    await using running = await runApi();
    const { machine, order, status } = fill(running.store);
    machine(1);
    const current = async (): Promise<unknown[]> => {
      const { json } = await get(running, "units/a.service");
      return [json.desiredState, json.currentState, json.machineID];
    };
    await put(running, "a.service", { options, desiredState: "launched" });
    assert.deepEqual(await current(), ["launched", "inactive", undefined]);
    assert.equal((await get(running, "state/a.service")).json.systemdLoadState, "not-found");
    const hash = hashBody(text);
    order(1, "a.service", { hash });
    assert.deepEqual(await current(), ["launched", "inactive", machineId(1)]);
    status(1, "a.service", { hash });
    assert.deepEqual(await current(), ["launched", "launched", machineId(1)]);
    const state = {
      hash: optionsHash(options),
      machineID: machineId(1),
      name: "a.service",
      systemdActiveState: "active",
      systemdLoadState: "loaded",
      systemdSubState: "running",
    };
    assert.deepEqual((await get(running, "state/a.service")).json, state);
    assert.deepEqual((await get(running, "state")).json, { states: [state] });
    assert.deepEqual((await get(running, `state?machineID=${machineId(1)}`)).json, { states: [state] });
    assert.deepEqual((await get(running, `state?machineID=${machineId(2)}`)).json, {});
    assert.deepEqual((await get(running, "state?unitName=b.service")).json, {});
    assert.equal((await put(running, "a.service", { desiredState: "loaded" })).status, 204);
    order(1, "a.service", { hash, desired: "loaded" });
    status(1, "a.service", { hash, active: "inactive", sub: "dead", health: "stopped" });
    assert.equal((await current())[1], "launched", "told once more, for restart");
    await new Promise((resolve) => setTimeout(resolve, 160));
    assert.equal((await current())[1], "loaded");
    const listed = (await get(running, "units")).json.units[0];
    assert.equal(listed.currentState, "loaded");
  });

  test("stopped and started in one breath is a restart", async () => {
    await using running = await runApi();
    const { machine, order, status } = fill(running.store);
    machine(1);
    await put(running, "a.service", { options, desiredState: "launched" });
    const hash = hashBody(text);
    order(1, "a.service", { hash });
    status(1, "a.service", { hash });
    await put(running, "a.service", { desiredState: "loaded", name: "a.service" });
    await put(running, "a.service", { desiredState: "launched", name: "a.service" });
    const [operation] = (await running.ask({ path: "/v1/operations" })).json.operations;
    const { json } = await running.ask({ path: `/v1/operations/${operation.id}` });
    assert.deepEqual([json.changes[0].before.restarts, json.changes[0].after.restarts], [0, 1]);
  });

  test("templates and replicas: both are listed, a replica has no state of its own", async () => {
    await using running = await runApi();
    await running.operate({
      kind: "submit",
      files: [file("web@.service", text)],
      desired: "launched",
      replicas: 2,
    });
    const { units } = (await get(running, "units")).json;
    assert.deepEqual(
      units.map((unit: Record<string, unknown>) => [unit["name"], unit["desiredState"]]),
      [
        ["web@.service", "inactive"],
        ["web@1.service", "launched"],
        ["web@2.service", "launched"],
      ],
    );
    assert.equal((await put(running, "web@2.service", { desiredState: "launched" })).status, 204);
    const refused = await put(running, "web@2.service", { desiredState: "loaded" });
    assert.equal(refused.status, 400);
    assert.match(refused.json.error.message, /KEEL-104: web@2\.service is a replica of web@\.service/);
    assert.equal((await put(running, "web@3.service", { options })).status, 201);
    assert.equal((await get(running, "units/web@3.service")).json.desiredState, "inactive");
    const other = [{ section: "Service", name: "ExecStart", value: "/bin/true" }];
    assert.equal((await put(running, "web@.service", { options: other })).status, 201);
    assert.equal((await get(running, "units/web@1.service")).json.desiredState, "launched");
  });

  test("destroyed is gone", async () => {
    await using running = await runApi();
    await put(running, "a.service", { options });
    const path = "/fleet/v1/units/a.service";
    assert.equal((await running.ask({ method: "DELETE", path })).status, 204);
    const again = await running.ask({ method: "DELETE", path });
    assert.deepEqual(again.json, { error: { code: 404, message: "unit does not exist" } });
    assert.equal((await get(running, "units/a.service")).status, 404);
    assert.equal((await get(running, "state/a.service")).status, 404);
  });

  test("250 units are three pages, without one twice", async () => {
    await using running = await runApi();
    const files = Array.from({ length: 250 }, (_, n) => file(`u${n}.service`, text));
    await running.operate({ kind: "submit", files, desired: "inactive" });
    const seen = new Set<string>();
    const sizes: number[] = [];
    for (let token = ""; ;) {
      const query = token === "" ? "" : `?nextPageToken=${encodeURIComponent(token)}`;
      const { units, nextPageToken } = (await get(running, `units${query}`)).json;
      for (const { name } of units) seen.add(name);
      sizes.push(units.length);
      if (nextPageToken === undefined) break;
      token = nextPageToken;
    }
    assert.deepEqual([sizes, seen.size], [[100, 100, 50], 250]);
  });
});

describe("fleet’s API: machines", () => {
  test("metadata is patched in both forms, and counts", async () => {
    await using running = await runApi();
    const { machine } = fill(running.store);
    machine(1);
    machine(2, false);
    const id = machineId(1);
    const patch = (json: unknown): Promise<Answer> =>
      running.ask({ method: "PATCH", path: "/fleet/v1/machines?alt=json", json });
    const metadata = async (): Promise<unknown> => (await get(running, "machines")).json.machines;
    assert.deepEqual(await metadata(), [{ id, metadata: {}, primaryIP: "10.0.0.1" }]);
    const path = (key: string): string => `/${id}/metadata/${key}`;
    const done = await patch([
      { op: "add", path: path("region"), value: "eu" },
      { op: "add", path: path("disk"), value: { value: "ssd" } },
    ]);
    assert.deepEqual([done.status, done.bytes.length], [204, 0]);
    assert.deepEqual(await metadata(), [
      { id, metadata: { region: "eu", disk: "ssd" }, primaryIP: "10.0.0.1" },
    ]);
    const [own] = (await running.ask({ path: "/v1/machines" })).json.machines;
    assert.deepEqual(own.metadata, { region: "eu", disk: "ssd" });
    await patch([{ op: "remove", path: path("disk") }]);
    assert.deepEqual((await get(running, "machines")).json.machines[0].metadata, { region: "eu" });
    assert.equal((await patch([{ op: "test", path: path("a"), value: "b" }])).status, 400);
    assert.equal((await patch([{ op: "add", path: "/nobody/metadata/a", value: "b" }])).status, 404);
  });
});

describe("fleet’s API: what it refuses", () => {
  const refusals: readonly [string, string, number, RegExp][] = [
    ["GET", "/fleet/v1", 405, /^$/],
    ["GET", "/fleet/v1/", 404, /^$/],
    ["GET", "/fleet/v1/nothing", 404, /^$/],
    ["GET", "/fleet/v1/units/", 404, /^$/],
    ["GET", "/fleet/v1/units/a/b", 404, /^$/],
    ["GET", "/fleet/v1/units/a%2Fb", 404, /^$/],
    ["GET", "/fleet/v1/units/a%zz", 400, /./],
    ["POST", "/fleet/v1/units", 405, /only GET supported/],
    ["DELETE", "/fleet/v1/state", 405, /only GET supported/],
    ["PATCH", "/fleet/v1/units/a.service", 405, /only GET, PUT and DELETE/],
    ["PUT", "/fleet/v1/machines", 405, /only GET and PATCH/],
    ["HEAD", "/fleet/v1/units", 405, /^$/],
    ["POST", "/fleet/v1/discovery", 405, /only GET/],
    ["GET", "/fleet/v1/units?nextPageToken=EwBMLg==", 400, /token limit must be 100/],
    ["GET", "/fleet/v1/machines?nextPageToken=x&nextPageToken=y", 400, /too many values/],
    ["GET", "/fleet/v1/state/none.service", 404, /unit state does not exist/],
    ["GET", "/v1-alpha/units/none.service", 404, /unit does not exist/],
  ];

  test("paths, methods and tokens, always in fleet’s shape", async () => {
    await using running = await runApi();
    for (const [method, path, status, words] of refusals) {
      const answer = await running.ask({ method, path });
      assert.equal(answer.status, status, `${method} ${path}`);
      if (method === "HEAD") continue;
      assert.equal(answer.json.error.code, status, path);
      assert.match(answer.json.error.message, words, path);
    }
  });

  test("bodies that are none", async () => {
    await using running = await runApi();
    const path = "/fleet/v1/units/a.service";
    const type = { "content-type": "application/json" };
    const send = (body: string, headers: Record<string, string> = type): Promise<Answer> =>
      running.ask({ method: "PUT", path, body, headers });
    assert.equal((await send("{}", { "content-type": "text/plain" })).status, 415);
    assert.equal((await send("{}", {})).status, 415);
    assert.equal((await send("{}", { "content-type": "application/json; charset=utf-8" })).status, 409);
    for (const body of ["", "[", "[]", "5", '"a"', '{"options":5}', '{"options":[{"section":[]}]}'])
      assert.equal((await send(body)).status, 400, body);
    assert.equal((await send("{}")).json.error.message, "unit does not exist and options field empty");
    const bad = [{ section: "X-Fleet", name: "Conflict", value: "a" }];
    const refused = await put(running, "a.service", { options: bad });
    assert.equal(refused.status, 400);
    assert.match(
      refused.json.error.message,
      /^KEEL-102: a\.service:2:1: .*Conflict=; did you mean Conflicts\? \[X-Fleet\] has /,
    );
    assert.equal((await put(running, "a.target", { options })).status, 400);
  });

  test("TCP reads and does not change, and says so in fleet’s shape", async () => {
    await using running = await runApi();
    const port = running.api.listening[0]?.port ?? 0;
    assert.equal((await running.ask({ path: "/fleet/v1/units", port })).status, 200);
    const path = "/fleet/v1/units/a.service";
    const refused = await running.ask({ method: "PUT", path, port, json: { options } });
    assert.equal(refused.status, 403);
    assert.equal(refused.json.error.code, 403);
    assert.match(refused.json.error.message, /KEEL-604/);
  });

  test("a store that is away is 503 in fleet’s words", async () => {
    const away = new EtcdStore({
      endpoints: ["http://127.0.0.1:1"],
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
    await using _away = away;
    await using running = await runApi({ client: away });
    const answer = await get(running, "units");
    assert.deepEqual([answer.status, answer.json.error.code], [503, 503]);
    assert.equal(answer.json.error.message, "fleet server unable to communicate with etcd");
  });

  test("the discovery document names every path", async () => {
    await using running = await runApi();
    const { json } = await get(running, "discovery");
    assert.equal(json.kind, "discovery#restDescription");
    assert.equal(json.servicePath, "fleet/v1/");
    assert.equal(json.resources.Units.methods.Set.path, "units/{unitName}");
    assert.equal(json.schemas.UnitPage.properties.units.items.$ref, "Unit");
  });
});
