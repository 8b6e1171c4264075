// How keelds come to certificates and follow the store: real openssl, real files, the embedded server.
import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { EtcdServer } from "@keelson/etcd/server";
import { Authority } from "../../src/authority/authority.ts";
import { Identity } from "../../src/authority/identity.ts";
import { systemClock } from "../../src/base/clock.ts";
import { Lifetime } from "../../src/base/lifetime.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { keys } from "../../src/model/keys.ts";
import { memberCodec } from "../../src/model/machine.ts";
import { authorityCodec, locationCodec, requestCodec } from "../../src/model/store.ts";
import type { StoreLocation } from "../../src/model/store.ts";
import { EtcdStore } from "../../src/registry/etcd-store.ts";
import { StoreRecords } from "../../src/registry/store-records.ts";
import { follow } from "../../src/store-cluster/follower.ts";
import { issue } from "../../src/store-cluster/issuer.ts";
import { LocationFile } from "../../src/store-cluster/location-file.ts";
import { newcomerCredentials, takeUpNewcomer } from "../../src/store-cluster/newcomer.ts";

const around = { clock: systemClock, random: systemRandom, log: silentLog };
const holder = "f".repeat(32);
const machine = "a".repeat(32);
const stranger = "b".repeat(32);

describe("following the store", () => {
  const lifetime = new Lifetime(silentLog);
  /** Made for each wait: suites wait for each other. */
  const soon = (): AbortSignal => AbortSignal.timeout(30_000);
  let folder = "";
  let url = "";
  let store: EtcdStore;
  let records: StoreRecords;
  let authority: Authority;
  const location = (epoch: number, over: Partial<StoreLocation> = {}): StoreLocation => ({
    epoch,
    kind: "etcd",
    endpoints: [url],
    size: 1,
    authority: authority.fingerprint,
    clusterId: "1",
    since: 1,
    ...over,
  });
  const put = (key: string, value: string) => store.txn({ compare: [], write: [{ put: key, value }] });
  const place = async (name: string) => ({
    file: await LocationFile.open(join(folder, name, "location.json"), silentLog),
    identity: await Identity.open({ folder: join(folder, name), use: "client", clock: systemClock }),
  });
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-follow-"));
    const listen = [{ host: "127.0.0.1", port: 0 }];
    const server = lifetime.own(await EtcdServer.start({ dataDir: join(folder, "store"), listen }));
    const address = server.addresses[0];
    url = `http://127.0.0.1:${address !== undefined && "port" in address ? address.port : 0}`;
    store = lifetime.own(new EtcdStore({ endpoints: [url], ...around }));
    records = lifetime.own(StoreRecords.open(store, around));
    authority = await Authority.keep(join(folder, "authority"), "demo", systemClock);
    const { certificate, fingerprint } = authority;
    const member = { id: machine, name: "m1", address: "10.0.0.1", apiPort: 7411, joined: 1 };
    await put(keys.member(machine), memberCodec.encode(member));
    await put(keys.storeAuthority, authorityCodec.encode({ certificate, fingerprint, holder }));
    const open = () => Authority.open(join(folder, "authority"), systemClock);
    lifetime.run("issuer", (until) =>
      issue({ store, records, authority: open, machine: holder, ...around }, until),
    );
  });
  after(async () => {
    await lifetime.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("a keeld gets its certificate, says so, and follows the store with the highest epoch", async () => {
    const { file, identity } = await place("m1");
    const options = { store, records, file, identity, machine, configured: [url], ...around };
    lifetime.run("follower", (until) => follow(options, until));
    await records.until(() => records.client(machine)?.authority === authority.fingerprint, soon());
    assert.equal(identity.problem(authority.certificate), undefined);
    assert.equal((await stat(identity.path("key"))).mode & 0o777, 0o600);
    await put(keys.storeLocation, locationCodec.encode(location(5)));
    await records.until(() => records.client(machine)?.epoch === 5, soon());
    assert.equal(file.location?.epoch, 5);
    await put(keys.storeLocation, locationCodec.encode(location(4, { endpoints: ["http://127.0.0.1:1"] })));
    await records.until(() => records.location?.epoch === 4, soon());
    await put(keys.storeLocation, locationCodec.encode(location(6)));
    await records.until(() => records.client(machine)?.epoch === 6, soon());
    assert.deepEqual(store.access.endpoints, [url], "what is older is not followed");
    const again = await LocationFile.open(join(folder, "m1", "location.json"), silentLog);
    assert.deepEqual(again.location, location(6));
  });

  test("a location of an authority without a certificate is not followed", async () => {
    const { file, identity } = await place("m9");
    await using other = new EtcdStore({ endpoints: [url], ...around });
    await using seen = StoreRecords.open(other, around);
    const until = new AbortController();
    const foreign = { store: other, records: seen, file, identity, machine: stranger, configured: [url] };
    const following = follow({ ...foreign, ...around }, until.signal);
    try {
      await seen.until(() => seen.request(stranger, "client") !== undefined, soon());
      assert.equal(file.location, undefined);
      assert.equal(identity.authority, undefined);
    } finally {
      until.abort();
      await following;
    }
  });

  test("who is not of the cluster gets no certificate, and nobody one for a use that is none", async () => {
    const { identity } = await place("m8");
    const request = await identity.request();
    const ask = (who: string, use: string) =>
      put(keys.storeRequest(who, use), requestCodec.encode({ machine: who, request }));
    await ask(stranger, "member");
    await ask(machine, "root");
    await ask(holder, "member");
    await ask(machine, "member");
    await records.until(() => records.certificate(machine, "member") !== undefined, soon());
    for (const [who, use] of [
      [stranger, "member"],
      [machine, "root"],
      [holder, "member"],
    ] as const)
      assert.equal(records.certificate(who, use), undefined, `${who} ${use}`);
  });

  test("a new machine starts with what it was given", async () => {
    const stateDir = join(folder, "authority-holder");
    const where = { authority, location: location(7), machine: stranger, stateDir };
    const credentials = await newcomerCredentials(where);
    const path = join(folder, "keelson.store");
    await writeFile(path, JSON.stringify(credentials));
    const { file } = await place("m7");
    const target = { path, file, folder: join(folder, "m7"), clock: systemClock };
    await takeUpNewcomer(target);
    const after = await place("m7");
    assert.equal(after.file.location?.epoch, 7);
    assert.equal(after.identity.authority, authority.fingerprint);
    await writeFile(path, "{");
    await takeUpNewcomer(target);
    const fresh = await LocationFile.open(join(folder, "m6", "location.json"), silentLog);
    await assert.rejects(takeUpNewcomer({ ...target, file: fresh, folder: join(folder, "m6") }), {
      code: "KEEL-106",
    });
  });
});
