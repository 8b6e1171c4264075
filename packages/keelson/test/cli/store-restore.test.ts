// `keel store restore` against a daemon's API over a store that runs in this process.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EtcdServer } from "@keelson/etcd/server";
import { Identity } from "../../src/authority/identity.ts";
import { RunningRestore } from "../../src/backup/running-restore.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { keys } from "../../src/model/keys.ts";
import { locationCodec } from "../../src/model/store.ts";
import { ClusterView } from "../../src/registry/cluster-view.ts";
import { EtcdStore } from "../../src/registry/etcd-store.ts";
import { StoreRecords } from "../../src/registry/store-records.ts";
import { StoreService } from "../../src/store-cluster/service.ts";
import { runApi } from "../api/running-api.ts";
import type { RunningApi } from "../api/running-api.ts";
import { eventually } from "../eventually.ts";
import { machineId } from "../registry/records.ts";
import { runKeel } from "./run-keel.ts";
import type { Ran } from "./run-keel.ts";

/** The embedded store, on a port that it keeps. */
class Place {
  readonly dataDir: string;
  port = 0;
  server: EtcdServer | undefined;

  constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  get endpoints(): readonly string[] {
    return [`http://127.0.0.1:${this.port}`];
  }

  get keys() {
    return this.server?.keys;
  }

  async start(): Promise<void> {
    const { dataDir, port } = this;
    this.server = await EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port }] });
    this.port = this.server.addresses[0]?.port ?? 0;
  }

  async stop(): Promise<void> {
    await this.server?.close();
    this.server = undefined;
  }
}

describe("keel store restore", () => {
  const opened = new AsyncDisposableStack();
  let folder = "";
  let place: Place;
  let store: EtcdStore;
  let running: RunningApi;
  let replacements = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-restore-cli-"));
    opened.defer(() => rm(folder, { recursive: true }));
    place = new Place(join(folder, "data"));
    await place.start();
    opened.defer(() => place.stop());
    const around = { clock: systemClock, random: systemRandom, log: silentLog };
    store = opened.use(new EtcdStore({ endpoints: place.endpoints, ...around }));
    store.onReplaced(() => replacements++);
    const records = opened.use(StoreRecords.open(store, around));
    const machines = opened.use(ClusterView.open(store, { scope: "machines", ...around }));
    const storeService = new StoreService({
      ...around,
      cluster: "test",
      store,
      records,
      machines,
      machine: machineId(1),
      stateDir: folder,
      identity: await Identity.open({ folder, use: "client", clock: systemClock }),
      version: "0.1.0",
      openDiscovery: () => Promise.reject(new Error("nothing grows here")),
      signal: new AbortController().signal,
    });
    const unused = (): Promise<never> => Promise.reject(new Error("nothing moves here"));
    storeService.embed({
      endpoints: place.endpoints,
      begin: unused,
      giveUp: unused,
      confirm: unused,
      forget: unused,
    });
    const answers = async (signal: AbortSignal): Promise<void> => {
      await store.range({ key: "k" }, { signal, timeoutMs: 10_000 });
    };
    const storeRestore = new RunningRestore({ place, answers, ...around });
    const backupSource = store.backupSource;
    running = opened.use(await runApi({ client: store, storeService, storeRestore, backupSource }));
    await put("/keelson/members/x", "a cluster's");
    await put("k", "then");
    assert.equal((await keel(["backup", "b.db"])).code, 0);
    await put("k", "now");
  });
  after(() => opened.disposeAsync());

  const put = (key: string, value: string) => store.txn({ compare: [], write: [{ put: key, value }] });
  const read = async (key: string): Promise<string | undefined> => {
    const { values } = await store.range({ key });
    return values[0] && Buffer.from(values[0].value).toString();
  };
  const keel = async (argv: readonly string[], terminal: Partial<Terminal> = {}): Promise<Ran> => {
    const env = { KEEL_ENDPOINT: `unix:${running.api.socket}` };
    return await runKeel(["store", ...argv], { env, cwd: folder, ...terminal });
  };
  const scratch = (): boolean => existsSync(`${place.dataDir}.restore`);

  test("a dry run shows both stores side by side, and leaves nothing behind", async () => {
    const told = await keel(["restore", "b.db", "--dry-run"]);
    assert.equal(told.code, 0, told.stderr);
    assert.match(told.stdout, /^backup {2}revision 3, taken 20.*\nstore {3}revision 4, now 20/);
    assert.match(told.stdout, /keys {4}0 added, 1 changed, 0 gone, of 1\n/);
    assert.match(told.stdout, /the present store is kept as .*data\.before-restore-20\d{6}T\d{6}Z\n$/);
    assert.equal(await read("k"), "now");
    assert.ok(!scratch());
  });

  test("nothing is restored unless somebody says so", async () => {
    const alone = await keel(["restore", "b.db"]);
    assert.equal(alone.code, 4);
    assert.match(alone.stderr, /nobody is there to confirm the restore[^]*KEEL-716/);
    const declined = await keel(["restore", "b.db"], { interactive: true, ask: () => Promise.resolve("n") });
    assert.notEqual(declined.code, 0);
    assert.match(declined.stderr, /revision 3[^]*nothing was changed/);
    assert.equal(await read("k"), "now");
    assert.ok(!scratch());
  });

  test("what cannot be used is refused before anything stops", async () => {
    const bytes = await readFile(join(folder, "b.db"));
    await writeFile(join(folder, "bare.db"), bytes.subarray(0, -1));
    assert.match((await keel(["restore", "bare.db", "--yes"])).stderr, /cannot be restored[^]*KEEL-721/);
    await writeFile(join(folder, "other.db"), bytes);
    await writeFile(join(folder, "other.db.json"), await readFile(join(folder, "b.db.json")));
    await truncate(join(folder, "other.db"), 9000);
    assert.match((await keel(["restore", "other.db", "--yes"])).stderr, /SHA-256[^]*KEEL-721/);
    assert.match((await keel(["restore", "none.db", "--yes"])).stderr, /none\.db[^]*KEEL-721/);
    assert.match((await keel(["restore", "b.db", "--skip-hash-check"])).stderr, /--data-dir[^]*KEEL-104/);
    assert.match((await keel(["restore", "b.db", "--data-dir", "d", "--dry-run"])).stderr, /KEEL-104/);
    for (const plan of ["", 3, "x".repeat(41)]) {
      const answer = await running.ask({ method: "POST", path: "/v1/store/restore", json: { plan } });
      assert.equal(answer.status, 400);
    }
    const unknown = await running.ask({ method: "POST", path: "/v1/store/restore", json: { plan: "x" } });
    assert.match(unknown.bytes.toString(), /KEEL-403/);
    const path = "/v1/store/restore/plan";
    const overTcp = { method: "POST", path, body: "x", port: running.api.listening[0]?.port ?? 0 };
    assert.match((await running.ask(overTcp)).bytes.toString(), /KEEL-604/);
    assert.equal(await read("k"), "now");
    assert.ok(!scratch());
  });

  test("the store is put back, its clients notice, and the former one is kept", async () => {
    const done = await keel(["restore", "b.db", "--yes", "-o", "json"]);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(done.json.outcome.done, true);
    assert.equal(await read("k"), "then");
    assert.ok(done.json.keptAs.startsWith(`${place.dataDir}.before-restore-`));
    const beside = (await readdir(folder)).filter((name) => name.startsWith("data"));
    assert.deepEqual(beside.toSorted(), ["data", done.json.keptAs.slice(folder.length + 1)]);
    await eventually("its clients notice", () => replacements > 0);
    await put("k", "written since");
    assert.equal(await read("k"), "written since");
  });

  test("a cluster of etcd is refused, with the way to it", async () => {
    const location = {
      epoch: 1,
      kind: "etcd" as const,
      endpoints: [...place.endpoints],
      size: 1,
      authority: "",
      clusterId: "1",
      since: 1,
    };
    await put(keys.storeLocation, locationCodec.encode(location));
    await eventually("the daemon knows", async () => {
      const { json } = await running.ask({ path: "/v1/store" });
      return json.kind === "etcd";
    });
    const refused = await keel(["restore", "b.db", "--yes"]);
    assert.equal(refused.code, 8);
    assert.match(refused.stderr, /cluster of etcd[^]*migrate --to embedded[^]*KEEL-724/);
    await using elsewhere = await runApi({});
    const there = await keel(["restore", "b.db", "--yes"], {
      env: { KEEL_ENDPOINT: `unix:${elsewhere.api.socket}` },
    });
    assert.match(there.stderr, /KEEL-104/);
  });
});
