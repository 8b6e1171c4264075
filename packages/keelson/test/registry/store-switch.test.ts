// The store moves under its clients: two embedded servers with the same history.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EtcdServer } from "@keelson/etcd/server";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { EtcdStore } from "../../src/registry/etcd-store.ts";
import { StoreRecords } from "../../src/registry/store-records.ts";
import { keys } from "../../src/model/keys.ts";
import { locationCodec } from "../../src/model/store.ts";

const around = { clock: systemClock, random: systemRandom, log: silentLog };

describe("a store that moves", () => {
  const servers: EtcdServer[] = [];
  let folder = "";
  let urls: string[] = [];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-switch-"));
    for (const name of ["a", "b"]) {
      const listen = [{ host: "127.0.0.1", port: 0 }];
      servers.push(await EtcdServer.start({ dataDir: join(folder, name), listen }));
    }
    urls = servers.map((server) => {
      const address = server.addresses[0];
      return `http://127.0.0.1:${address !== undefined && "port" in address ? address.port : 0}`;
    });
  });
  after(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const open = (index: number): EtcdStore => new EtcdStore({ endpoints: [urls[index] ?? ""], ...around });
  const put = (store: EtcdStore, key: string, value: string) =>
    store.txn({ compare: [], write: [{ put: key, value }] });

  test("a watch goes on behind what it has told, and calls go to the new place", async () => {
    await using store = open(0);
    await using other = open(1);
    const { revision } = await put(store, "/k", "1");
    await put(other, "/k", "1");
    const seen: string[] = [];
    const ending = new AbortController();
    const told = new Map<string, () => void>();
    const tells = (value: string): Promise<void> =>
      new Promise((done) => (seen.includes(value) ? done() : told.set(value, done)));
    const watching = (async () => {
      for await (const { events } of store.watch({ key: "/k", from: revision }, ending.signal)) {
        for (const event of events) {
          const value = Buffer.from(event.value).toString();
          seen.push(value);
          told.get(value)?.();
        }
      }
    })();
    await tells("1");
    await put(other, "/k", "2");
    store.switchTo({ endpoints: [urls[1] ?? ""] });
    await put(store, "/k", "3");
    await tells("3");
    ending.abort();
    await watching;
    assert.deepEqual(seen, ["1", "2", "3"]);
    assert.deepEqual(store.access.endpoints, [urls[1]]);
    assert.notEqual(store.lastHeardMs, undefined);
  });

  test("records are read, followed and left out where they are damaged", async () => {
    await using store = open(0);
    await using records = StoreRecords.open(store, around);
    const signal = AbortSignal.timeout(30_000);
    await records.until(() => true, signal);
    assert.equal(records.location, undefined);
    const location = {
      epoch: 1,
      kind: "etcd" as const,
      endpoints: ["https://10.0.0.1:2379"],
      size: 3,
      authority: "",
      clusterId: "1f",
      since: 5,
    };
    await put(store, keys.storeLocation, locationCodec.encode(location));
    await records.until(() => records.location !== undefined, signal);
    assert.deepEqual(records.location, location);
    await put(store, keys.storeLocation, '{"epoch":0}');
    await records.until(() => records.location === undefined, signal);
    const machine = "0".repeat(32);
    await put(store, keys.storeRequest(machine, "client"), JSON.stringify({ machine, request: "pem" }));
    await records.until(() => records.requests().length > 0, signal);
    assert.deepEqual(records.requests(), [{ machine, use: "client" }]);
    assert.deepEqual([...records.machines()], [machine]);
    await assert.rejects(records.until(() => false, AbortSignal.timeout(10)));
  });
});
