// The commands that look after the store, on a store that is embedded: what they say, and what they refuse.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EtcdServer } from "@keelson/etcd/server";
import { Identity } from "../../src/authority/identity.ts";
import { systemClock } from "../../src/base/clock.ts";
import { Lifetime } from "../../src/base/lifetime.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { run } from "../../src/cli/program.ts";
import { ClusterView } from "../../src/registry/cluster-view.ts";
import { EtcdStore } from "../../src/registry/etcd-store.ts";
import { StoreRecords } from "../../src/registry/store-records.ts";
import { StoreService } from "../../src/store-cluster/service.ts";
import { runApi } from "../api/running-api.ts";
import type { RunningApi } from "../api/running-api.ts";
import { machineId } from "../registry/records.ts";
import { recordingTerminal } from "./recording-terminal.ts";

const around = { clock: systemClock, random: systemRandom, log: silentLog };

describe("commands that look after the store", () => {
  const lifetime = new Lifetime(silentLog);
  let folder = "";
  let running: RunningApi;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keel-store-"));
    const listen = [{ host: "127.0.0.1", port: 0 }];
    const server = lifetime.own(
      await EtcdServer.start({ dataDir: join(folder, "store"), listen, name: "host" }),
    );
    const endpoints = [`http://127.0.0.1:${server.addresses[0]?.port}`];
    const store = lifetime.own(new EtcdStore({ endpoints, ...around }));
    const records = lifetime.own(StoreRecords.open(store, around));
    const machines = lifetime.own(ClusterView.open(store, { scope: "machines", ...around }));
    const storeService = new StoreService({
      cluster: "test",
      store,
      records,
      machines,
      identity: await Identity.open({ folder: join(folder, "identity"), use: "client", clock: systemClock }),
      machine: machineId(1),
      stateDir: folder,
      version: "0.1.0",
      openDiscovery: () => Promise.reject(new Error("nobody is to be discovered")),
      signal: lifetime.signal,
      ...around,
    });
    await machines.synced(AbortSignal.timeout(10_000));
    running = lifetime.own(await runApi({ storeService }));
  });
  after(async () => {
    await lifetime.close();
    await rm(folder, { recursive: true, force: true });
  });

  const keel = async (...argv: string[]) => {
    const env = { KEEL_ENDPOINT: `unix:${running.api.socket}` };
    const recording = recordingTerminal({ env, cwd: folder });
    const code = await run(["store", ...argv], recording);
    return { code, stdout: recording.stdout(), stderr: recording.stderr() };
  };

  test("status says where the store is and how its member is", async () => {
    const { code, stdout } = await keel("status");
    assert.equal(code, 0);
    assert.match(stdout, /^the store is embedded in one keeld, revision \d+\n/);
    assert.match(stdout, /\nhost +- +leader +healthy +0 /);
    const json = JSON.parse((await keel("status", "-o", "json")).stdout) as Record<string, unknown>;
    assert.equal(json["kind"], "embedded");
    assert.equal(json["healthy"], 1);
    assert.deepEqual(json["words"], []);
  });

  test("a growth that cannot be is refused with all that stands in its way, and changes nothing", async () => {
    const dry = await keel("grow", "--members", "3", "--dry-run");
    assert.equal(dry.code, 8);
    assert.match(dry.stdout, /not now: 3 members need 3 machines, and 0 are up/);
    const { code, stderr } = await keel("grow", "--members", "4", "--yes");
    assert.equal(code, 8);
    assert.match(stderr, /an even number bears no more losses/);
    assert.match(stderr, /does not run the embedded store/);
    assert.match(stderr, /KEEL-412/);
    assert.match((await keel("migrate", "--to", "etcd", "--yes")).stderr, /3 members need 3 machines/);
    const migration = await keel("migrate", "--to", "etcd", "--dry-run");
    assert.deepEqual([migration.code, migration.stdout], [dry.code, dry.stdout]);
  });

  test("what makes no sense is refused before anything is asked", async () => {
    for (const [words, why] of [
      [["grow", "--members", "many"], /--members many/],
      [["migrate"], /--to etcd, --to embedded or --forget-old/],
      [["migrate", "--to", "moon", "--yes"], /the store is etcd or embedded/],
      [["migrate", "--to", "embedded", "--forget-old"], /either/],
      [["migrate", "--to", "embedded", "--dry-run"], /goes with --to etcd/],
    ] as const) {
      const { code, stderr } = await keel(...words);
      assert.equal(code, 2, words.join(" "));
      assert.match(stderr, why);
    }
    assert.match((await keel("migrate", "--to", "embedded", "--yes")).stderr, /KEEL-412/);
    assert.match((await keel("migrate", "--forget-old", "--yes")).stderr, /never had the store/);
    assert.match((await keel("replace", "m9")).stderr, /no machine "m9"/);
  });

  test("what asks for an agreement is refused, exit 4, when nobody can give it or the answer is no", async () => {
    const unasked = await keel("migrate", "--forget-old");
    assert.equal(unasked.code, 4);
    assert.match(unasked.stderr, /repeat it with --yes[^]*KEEL-716/);
  });

  test("a daemon that ends in the middle of an answer is said to have ended", async () => {
    const socket = join(folder, "short.sock");
    await using fake = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "application/x-ndjson" });
      response.write(
        '{"words":"members: 0 of 3 are up","ms":1,"pauseMs":null,"done":false,"error":null}\n',
        () => response.destroy(),
      );
    });
    await new Promise<void>((resolve) => fake.listen(socket, resolve));
    const recording = recordingTerminal({ env: { KEEL_ENDPOINT: `unix:${socket}` }, cwd: folder });
    for (const argv of [["migrate", "--to", "embedded", "--yes"], ["status"]]) {
      assert.equal(await run(["store", ...argv], recording), 9, recording.stderr());
    }
    assert.match(recording.stderr(), /ended before its answer did[^]*KEEL-601/);
    assert.doesNotMatch(recording.stderr(), /KEEL-900/);
  });

  test("the API refuses garbage, and gives no credentials while the store takes everybody", async () => {
    for (const [path, body] of [
      ["/v1/store/move", { to: "moon" }],
      ["/v1/store/move", { to: "etcd", members: 3, force: true }],
      ["/v1/store/plan", { members: "3" }],
      ["/v1/store/replace", {}],
      ["/v1/store/credentials", { machine: "../../etc" }],
    ] as const) {
      const answer = await running.ask({ method: "POST", path, json: body });
      assert.equal(answer.status, 400, path);
    }
    const json = { machine: machineId(2) };
    const answer = await running.ask({ method: "POST", path: "/v1/store/credentials", json });
    assert.deepEqual(answer.json, { credentials: null });
  });
});
