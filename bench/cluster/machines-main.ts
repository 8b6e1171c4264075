// Many machines in one process: the real session and the real agent of each, on simulated hosts, over the real
// client: ENDPOINT FIRST COUNT. Each has a lease, a watch and reports of its own; connections are shared.
import { Agent } from "../../packages/keelson/src/agent/agent.ts";
import { systemClock } from "../../packages/keelson/src/base/clock.ts";
import { Lifetime } from "../../packages/keelson/src/base/lifetime.ts";
import { createLog } from "../../packages/keelson/src/base/log.ts";
import { systemRandom } from "../../packages/keelson/src/base/random.ts";
import { SimulatedHost } from "../../packages/keelson/src/host/simulated-host.ts";
import { BodyCache } from "../../packages/keelson/src/registry/body-cache.ts";
import { EtcdStore } from "../../packages/keelson/src/registry/etcd-store.ts";
import { MachineSession } from "../../packages/keelson/src/registry/machine-session.ts";
import type { MachinesReport, MachinesRequest } from "./messages.ts";
import { ReportingStore } from "./reporting-store.ts";
import { leaseSeconds, machineId, zoneOf } from "./shape.ts";

/** So many share a connection to the store. */
const machinesPerConnection = 50;

const [, , endpoint = "", first = "0", count = "0"] = process.argv;
const log = createLog((line) => process.stderr.write(line), "error");
const common = { clock: systemClock, random: systemRandom, log };
const machines = new Map<number, { readonly lifetime: Lifetime; readonly store: ReportingStore }>();
const registered = new Set<number>();
let store: EtcdStore | undefined;

for (let number = Number(first); number < Number(first) + Number(count); number++) {
  if (machines.size % machinesPerConnection === 0)
    store = new EtcdStore({ endpoints: [endpoint], ...common });
  if (store !== undefined) await start(number, new ReportingStore(store));
  // All at once would be no morning of any cluster.
  await systemClock.sleep(2);
}

async function start(number: number, reporting: ReportingStore): Promise<void> {
  const lifetime = new Lifetime(log);
  const around = { ...common, signal: lifetime.signal };
  const name = `m${number}`;
  const host = new SimulatedHost({ clock: systemClock, machineId: machineId(number), hostname: name });
  const facts = await host.facts();
  const machine = {
    id: facts.machineId,
    name,
    address: `${name}.test`,
    apiPort: 7700,
    bootId: facts.bootId,
    metadata: { zone: zoneOf(number) },
    capacity: { ...facts.capacity, memoryBytes: 64 * 2 ** 30, cpus: 32 },
    os: facts.os,
    keeldVersion: "0.1.0",
    leaseSeconds,
  };
  const memory = {
    read: () => host.readState("lease"),
    write: (text: string) => host.writeState("lease", text),
  };
  const session = lifetime.own(MachineSession.open(reporting, { machine, memory, ...around }));
  session.onRenewal(() => registered.add(number));
  const agent = await Agent.start({
    host,
    store: reporting,
    session,
    bodies: new BodyCache(reporting, 1 << 16),
    proof: { storeRefuses: () => Promise.resolve(false), memberIsLost: () => Promise.resolve(false) },
    others: () => undefined,
    address: machine.address,
    leaseMs: leaseSeconds * 1000,
    cpus: facts.capacity.cpus,
    ...around,
  });
  lifetime.own(agent);
  machines.set(number, { lifetime, store: reporting });
}

process.on("message", ({ machine }: MachinesRequest) => {
  const lost = machines.get(machine);
  machines.delete(machine);
  registered.delete(machine);
  // Closing a session leaves its lease to run out.
  lost?.store.cut();
  void lost?.lifetime.close();
});
process.on("disconnect", () => process.exit(0));

let last = "";
setInterval(() => {
  let active = 0;
  for (const machine of machines.values()) active += machine.store.active.size;
  const report: MachinesReport = { registered: registered.size, active };
  const text = JSON.stringify(report);
  if (text !== last) process.send?.(report);
  last = text;
}, 50);
