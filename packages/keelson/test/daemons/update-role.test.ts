// The role `updates` as a real client sees it: its own recorded requests over HTTP, the configuration in a store in
// memory, the log on a real disk, and what people are told through the API and `keel`.
import { readAsUpdateEngine, readResponse } from "@keelson/omaha";
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { parseConfiguration } from "../../src/base/configuration.ts";
import { Lifetime } from "../../src/base/lifetime.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { openUpdates } from "../../src/daemons/update-role.ts";
import { keys } from "../../src/model/keys.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";
import type { UpdateServer } from "../../src/update-server/update-server.ts";
import { recording } from "../../../omaha/test/recordings.ts";
import { runApi } from "../api/running-api.ts";
import { runKeel } from "../cli/run-keel.ts";
import { eventually } from "../eventually.ts";

const app = "7b99775f-0e39-4787-9a77-89599597ed02";
const machine = "4e502b3096414651b65fe3f377adc241";
const payload = Buffer.from("the payload of an update");
const sha256 = createHash("sha256").update(payload).digest("hex");

function fill(store: SimulatedStore, policy: object = { waves: [], atOnce: 10 }): void {
  const put = (key: string, record: unknown): void =>
    void store.txn({ compare: [], write: [{ put: key, value: JSON.stringify(record) }] });
  put(keys.updateApplication(app), { id: app, name: "System", kind: "system" });
  put(keys.updatePackage(app, "2.0.0", "amd64"), {
    application: app,
    version: "2.0.0",
    architecture: "amd64",
    files: [{ name: "update.gz", size: payload.length, sha256 }],
    added: 0,
  });
  put(keys.updateChannel(app, "stable"), {
    application: app,
    name: "stable",
    versions: { amd64: { version: "2.0.0", at: 0 } },
  });
  put(keys.updateGroup(app, "prod"), { application: app, name: "prod", channel: "stable", policy });
}

interface Served extends AsyncDisposable {
  readonly server: UpdateServer;
  readonly url: string;
  /** What update_engine makes of the answer to its own recorded request: the version, or the outcome. */
  readonly replay: (name: string) => Promise<string>;
  readonly sentence: () => string | undefined;
}

async function serve(store: SimulatedStore, folder: string): Promise<Served> {
  const configuration = parseConfiguration(
    JSON.stringify({
      cluster: "test",
      roles: ["updates"],
      address: "127.0.0.1",
      store: { endpoints: ["http://127.0.0.1:1"] },
      stateDir: folder,
      updates: { listen: { host: "127.0.0.1", port: 0 }, publicUrl: "http://u.example/" },
    }),
    "test",
  );
  assert.ok(configuration.updates);
  const lifetime = new Lifetime(silentLog);
  const server = await openUpdates({
    configuration,
    updates: configuration.updates,
    store: store.door(),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    lifetime,
  });
  await eventually("the configuration is read", () => server.overview().configured);
  const url = `http://127.0.0.1:${server.port}`;
  return {
    server,
    url,
    replay: async (name) => {
      // The fallback was recorded with an application of its own.
      const body = recording(name).request.replace(/appid="[^"]*"/, `appid="${app}"`);
      const response = await fetch(`${url}/v1/update/`, { method: "POST", body });
      assert.equal(response.status, 200);
      const answer = readResponse(await response.text());
      return answer.apps[0]?.updateCheck?.manifests[0]?.version ?? readAsUpdateEngine(answer).outcome;
    },
    sentence: () => server.why(machine)[0]?.sentence,
    [Symbol.asyncDispose]: () => lifetime.close(),
  };
}

async function scratch(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "keelson-update-role-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

describe("the role updates", () => {
  test("takes a real client the whole way, and always says the truth", async () => {
    await using folder = await scratch();
    const store = new SimulatedStore(systemClock);
    fill(store);
    {
      await using it = await serve(store, folder.path);
      assert.deepEqual(it.server.why(machine), []);
      assert.equal(await it.replay("full 1"), "2.0.0");
      assert.match(it.sentence() ?? "", /^updating: was given 2\.0\.0, has its slot until /);
      await it.replay("full 2");
      assert.match(it.sentence() ?? "", /^updating: downloading 2\.0\.0, has its slot until /);
      await it.replay("full 3");
      await it.replay("full 4");
      assert.match(it.sentence() ?? "", /^updating: 2\.0\.0 is installed, waits for the restart/);
    }
    await using it = await serve(store, folder.path);
    assert.match(it.sentence() ?? "", /^updating: 2\.0\.0 is installed, waits for the restart/);
    assert.equal(await it.replay("reboot 1"), "noupdate");
    assert.equal(it.sentence(), "up to date: runs 2.0.0");
    const [application] = it.server.overview().applications;
    const [group] = application?.groups ?? [];
    assert.deepEqual(group?.states, { current: 1 });
    assert.deepEqual(group.versions, { "2.0.0": 1 });
    assert.equal(group.taken, 0);
    assert.equal(group.rollouts[0]?.ok, 1);
  });

  test("takes up a changed configuration with the next request", async () => {
    await using folder = await scratch();
    const store = new SimulatedStore(systemClock);
    fill(store, { waves: [], paused: true });
    await using it = await serve(store, folder.path);
    // A pause holds back also the client that somebody started by hand.
    assert.equal(await it.replay("full 1"), "noupdate");
    assert.equal(it.sentence(), "held: the group is paused, 2.0.0 is there");
    fill(store, { waves: [] });
    await eventually(
      "the group goes on",
      () => it.server.overview().applications[0]?.groups[0]?.paused === false,
    );
    assert.equal(it.sentence(), "ready: may update to 2.0.0 at its next check");
    assert.equal(await it.replay("full 1"), "2.0.0");
    await it.replay("full 4");
    assert.equal(await it.replay("rollback 1"), "noupdate");
    assert.match(it.sentence() ?? "", /^failed: .*went back from 2\.0\.0, quarantined$/);
  });

  test("serves payloads and turns to restart, and knows who cannot be read", async () => {
    await using folder = await scratch();
    await using it = await serve(new SimulatedStore(systemClock), folder.path);
    await mkdir(join(folder.path, "updates/payloads"), { recursive: true });
    await writeFile(join(folder.path, "updates/payloads", sha256), payload);
    const file = await fetch(`${it.url}/v1/payloads/${sha256}/update.gz`);
    assert.deepEqual(Buffer.from(await file.arrayBuffer()), payload);
    const turn = (id: string, group = "default"): Promise<number> =>
      fetch(`${it.url}/v1/pre-reboot`, {
        method: "POST",
        headers: { "fleet-lock-protocol": "true" },
        body: JSON.stringify({ client_params: { id, group } }),
      }).then(async (response) => (await response.text(), response.status));
    assert.deepEqual(
      [await turn("a"), await turn("b"), await turn("a"), await turn("a", "toString")],
      [200, 409, 200, 400],
    );
    const refused = await fetch(`${it.url}/v1/update/`, { method: "POST", body: "<request" });
    assert.equal(refused.status, 400);
    await refused.text();
    const [client] = it.server.overview().unreadable;
    assert.equal(client?.address, "127.0.0.1");
    // Without any configuration a client gets an answer, and no update.
    assert.equal(await it.replay("full 1"), "noupdate");
  });

  test("is asked through the API and keel, by id and by alias", async () => {
    await using folder = await scratch();
    const store = new SimulatedStore(systemClock);
    fill(store);
    await using it = await serve(store, folder.path);
    await it.replay("full 1");
    await using api = await runApi({ updates: () => it.server });
    const overview = await api.ask({ path: "/v1/updates" });
    assert.equal(overview.status, 200);
    assert.deepEqual(overview.json.applications[0].groups[0].wanted, { amd64: "2.0.0" });
    const env = { KEEL_ENDPOINT: `unix:${api.api.socket}` };
    for (const name of [machine, "real-client"]) {
      const ran = await runKeel(["update", "why", name], { env });
      assert.equal(ran.code, 0, ran.stderr);
      assert.match(
        ran.stdout,
        /real-client \(4e50.*\) 1\.0\.0, 7b99.*, group prod\n {2}updating: was given 2\.0\.0/,
      );
    }
    const { json } = await runKeel(["update", "why", machine, "-o", "json"], { env });
    assert.equal(json.machines[0].code, "updating");
    const unknown = await runKeel(["update", "why", "nobody"], { env });
    assert.notEqual(unknown.code, 0);
    assert.match(unknown.stderr, /KEEL-914/);
    const machines = (query: string) => api.ask({ path: `/v1/updates/applications/${app}/machines${query}` });
    const page = await machines("?limit=1");
    assert.deepEqual(
      page.json.machines.map((one: { alias: string; state: string }) => [one.alias, one.state]),
      [["real-client", "granted"]],
    );
    assert.equal(page.json.next, undefined);
    assert.deepEqual((await machines("?limit=0")).json, { machines: [], next: 0 });
    assert.deepEqual((await machines("?from=999999999")).json, { machines: [] });
    assert.equal((await machines("?from=-1")).status, 400);
    await using other = await runApi();
    const elsewhere = await other.ask({ path: "/v1/updates" });
    assert.equal(elsewhere.status, 503);
    assert.equal(elsewhere.json.error.code, "KEEL-913");
  });

  test("is named by the configuration or not there", () => {
    const base = {
      cluster: "test",
      roles: ["updates"],
      address: "127.0.0.1",
      store: { endpoints: ["http://127.0.0.1:1"] },
    };
    const listen = { host: "::", port: 7412 };
    const parse = (more: object) => parseConfiguration(JSON.stringify({ ...base, ...more }), "test");
    assert.throws(() => parse({}), { code: "KEEL-106" });
    assert.throws(() => parse({ updates: { listen, dataDir: "here" } }), { code: "KEEL-106" });
    assert.throws(() => parse({ updates: { listen, publicUrl: "http://x/y" } }), { code: "KEEL-106" });
    assert.throws(() => parse({ updates: { listen, rebootGroups: { a: { slots: 0 } } } }), {
      code: "KEEL-106",
    });
    assert.deepEqual(parse({ updates: { listen } }).updates?.rebootGroups, {
      default: { slots: 1, expirySeconds: 0 },
    });
  });
});
