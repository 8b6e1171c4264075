// The registry on a store that speaks etcd's protocol over the network: the embedded server, in this process.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { EtcdServer } from "@keelson/etcd/server";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { applyOperation } from "../../src/registry/apply-operation.ts";
import { BodyCache, hashBody } from "../../src/registry/body-cache.ts";
import { ClusterView } from "../../src/registry/cluster-view.ts";
import { EtcdStore } from "../../src/registry/etcd-store.ts";
import { purgeHistory } from "../../src/registry/garbage.ts";
import { campaign } from "../../src/registry/leadership.ts";
import { MachineSession } from "../../src/registry/machine-session.ts";
import { writeOrders } from "../../src/registry/orders.ts";
import { listMembers, removeMember } from "../../src/registry/registration.ts";
import { storeErrorCode } from "../../src/registry/store-client.ts";
import {
  machineId,
  machineRecord,
  operationRecord,
  orderRecord,
  statusRecord,
  unitRecord,
} from "./records.ts";

const around = { clock: systemClock, random: systemRandom, log: silentLog };

async function stage() {
  const dataDir = await mkdtemp(join(tmpdir(), "keelson-registry-"));
  const server = await EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port: 0 }] });
  const { host, port } = server.addresses[0] ?? { host: "", port: 0 };
  const store = new EtcdStore({ endpoints: [`http://${host}:${port}`], ...around });
  const view = ClusterView.open(store, { scope: "all", ...around });
  const end = async (): Promise<void> => {
    await view[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true });
  };
  await view.synced(AbortSignal.timeout(30_000));
  return { server, store, view, [Symbol.asyncDispose]: end };
}

describe("the registry on the embedded store", () => {
  test("an operation of 150 units shows in the view, and its bodies can be read", async () => {
    await using it = await stage();
    const units = Array.from({ length: 150 }, (_, at) => `u${at}.service`);
    const changes = units.map((unit) => ({ unit, after: unitRecord(unit) }));
    const bodies = new Map(units.map((unit) => [hashBody(unit), unit]));
    const revision = await applyOperation(it.store, operationRecord("op1", changes), bodies);
    const snapshot = await it.view.waitFor(revision, AbortSignal.timeout(30_000));
    assert.equal(snapshot.units.size, 150);
    assert.equal(snapshot.operations.get("op1")?.state, "applied");
    const cache = new BodyCache(it.store);
    assert.equal((await cache.loadAll(bodies.keys())).size, 150);
    assert.equal(await cache.load("0".repeat(64)), undefined);
    const gone = changes.map(({ unit, after }) => ({ unit, before: after }));
    const last = await applyOperation(it.store, operationRecord("op2", gone), new Map());
    const empty = await it.view.waitFor(last, AbortSignal.timeout(30_000));
    assert.deepEqual(await purgeHistory(it.store, empty, "op2"), { operations: 1, bodies: 0 });
    const cleaned = await it.view.waitFor(({ operations }) => !operations.has("op1"));
    assert.deepEqual(await purgeHistory(it.store, cleaned, ""), { operations: 1, bodies: 150 });
  });

  test("a machine registers, reports, and is forgotten when it has left", async () => {
    await using it = await stage();
    let memory: string | undefined;
    const session = MachineSession.open(it.store, {
      machine: machineRecord(1),
      memory: {
        read: () => Promise.resolve(memory),
        write: (text) => Promise.resolve(void (memory = text)),
      },
      ...around,
    });
    session.report("a.service", statusRecord("a.service"));
    const limit = AbortSignal.timeout(30_000);
    await it.view.waitFor(({ statuses }) => statuses.get(machineId(1))?.has("a.service") === true, limit);
    await assert.rejects(removeMember(it.store, machineId(1)), /is back in the cluster/);
    await session.leave();
    await it.view.waitFor(({ machines, statuses }) => machines.size === 0 && statuses.size === 0, limit);
    assert.ok(it.view.goneSince.has(machineId(1)));
    assert.equal((await listMembers(it.store)).length, 1);
    await removeMember(it.store, machineId(1));
    await it.view.waitFor(({ members }) => members.size === 0, limit);
  });

  test("only who leads writes orders", async () => {
    await using it = await stage();
    const stop = new AbortController();
    const run = (number: number) =>
      campaign(it.store, { machine: machineId(number), leaseSeconds: 2, ...around, signal: stop.signal });
    const first = await run(1);
    const write = { machine: machineId(1), entry: orderRecord("a.service") };
    await writeOrders(it.store, first.fence, [write]);
    await it.view.waitFor(({ leader, schedule }) => leader === machineId(1) && schedule.size === 1);
    const next = run(2);
    await first.resign();
    const second = await next;
    await assert.rejects(writeOrders(it.store, first.fence, [write]), /another leader/);
    await second.resign();
    stop.abort();
  });

  test("a lease that is not there has the code that registers anew", async () => {
    await using it = await stage();
    await assert.rejects(it.store.renewLease(99n), (error) => storeErrorCode(error) === "LEASE_NOT_FOUND");
  });
});
