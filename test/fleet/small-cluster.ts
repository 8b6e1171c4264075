// A cluster in this process on the real clock: the embedded store, keeld's API, three machines with the real agent
// and leader on simulated hosts.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EtcdServer } from "@keelson/etcd/server";
import { Agent } from "../../packages/keelson/src/agent/agent.ts";
import { startApi } from "../../packages/keelson/src/api/api.ts";
import type { Api } from "../../packages/keelson/src/api/api.ts";
import { systemClock } from "../../packages/keelson/src/base/clock.ts";
import { parseConfiguration } from "../../packages/keelson/src/base/configuration.ts";
import { silentLog } from "../../packages/keelson/src/base/log.ts";
import { Metrics } from "../../packages/keelson/src/base/metrics.ts";
import { systemRandom } from "../../packages/keelson/src/base/random.ts";
import { SimulatedHost } from "../../packages/keelson/src/host/simulated-host.ts";
import { Leader } from "../../packages/keelson/src/leader/leader.ts";
import { prefixes } from "../../packages/keelson/src/model/keys.ts";
import { BodyCache } from "../../packages/keelson/src/registry/body-cache.ts";
import { ClusterView } from "../../packages/keelson/src/registry/cluster-view.ts";
import { EtcdStore } from "../../packages/keelson/src/registry/etcd-store.ts";
import { MachineSession } from "../../packages/keelson/src/registry/machine-session.ts";
import { prefixEnd } from "../../packages/keelson/src/registry/store-client.ts";
import { eventually } from "../../packages/keelson/test/eventually.ts";

const around = { clock: systemClock, random: systemRandom, log: silentLog } as const;
const leaseSeconds = 6;

export interface SmallCluster extends AsyncDisposable {
  readonly api: Api;
  readonly folder: string;
  readonly hosts: readonly SimulatedHost[];
}

export async function startSmallCluster(machines = 3): Promise<SmallCluster> {
  await using made = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "keelson-fleet-"));
  made.defer(() => rm(folder, { recursive: true, force: true }));
  const server = await EtcdServer.start({
    dataDir: join(folder, "store"),
    listen: [{ host: "127.0.0.1", port: 0 }],
  });
  made.use(server);
  const endpoint = `http://127.0.0.1:${server.addresses[0]?.port ?? 0}`;
  const hosts: SimulatedHost[] = [];
  for (let number = 1; number <= machines; number++) hosts.push(await addMachine(number, endpoint, made));
  const configuration = parseConfiguration(
    JSON.stringify({
      cluster: "fleet",
      roles: ["api"],
      address: "127.0.0.1",
      store: { endpoints: [endpoint] },
      api: { socket: join(folder, "api.sock") },
      fleet: { socket: join(folder, "fleet.sock"), listen: [{ host: "127.0.0.1", port: 0 }] },
      stateDir: folder,
    }),
    "test",
  );
  const store = made.use(new EtcdStore({ endpoints: [endpoint], ...around }));
  const api = made.use(
    await startApi({
      configuration,
      machine: { id: "f".repeat(32), name: "host", address: "127.0.0.1", apiPort: 0 },
      version: "0.1.0",
      store,
      bodies: new BodyCache(store),
      metrics: new Metrics(),
      ...around,
    }),
  );
  await allThere(store, machines);
  const all = made.move();
  return { api, folder, hosts, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function allThere(store: EtcdStore, machines: number): Promise<void> {
  const end = prefixEnd(prefixes.machines);
  await eventually("every machine registered", async () => {
    const { values } = await store.range({ key: prefixes.machines, end, keysOnly: true });
    return values.length === machines;
  });
}

async function addMachine(
  number: number,
  endpoint: string,
  made: AsyncDisposableStack,
): Promise<SimulatedHost> {
  const name = `m${number}`;
  const host = new SimulatedHost({
    clock: systemClock,
    machineId: `${number}`.repeat(32),
    hostname: name,
    behaviour: (_unit, body) => ({ fails: body.includes("/bin/false") }),
  });
  const facts = await host.facts();
  const store = made.use(new EtcdStore({ endpoints: [endpoint], ...around }));
  const bodies = new BodyCache(store);
  const view = made.use(ClusterView.open(store, { scope: "machines", ...around }));
  const address = `10.0.0.${number}`;
  const session = made.use(
    MachineSession.open(store, {
      machine: {
        id: facts.machineId,
        name,
        address,
        apiPort: 0,
        bootId: facts.bootId,
        metadata: { zone: "abc"[number - 1] ?? "a" },
        capacity: facts.capacity,
        os: facts.os,
        keeldVersion: "0.1.0",
        leaseSeconds,
      },
      memory: { read: () => host.readState("lease"), write: (text) => host.writeState("lease", text) },
      ...around,
    }),
  );
  const leading = { machine: facts.machineId, store, bodies, machines: view, metrics: new Metrics() };
  made.use(Leader.start({ ...leading, leaseSeconds, leaderLeaseSeconds: 4, ...around }));
  const agent = await Agent.start({
    host,
    store,
    session,
    bodies,
    proof: { storeRefuses: () => Promise.resolve(false), memberIsLost: () => Promise.resolve(false) },
    others: () => [],
    address,
    leaseMs: leaseSeconds * 1000,
    cpus: 2,
    ...around,
  });
  made.use(agent);
  return host;
}
