// The agent with everything that it needs: the machine, the session, the members to ask when the store is away.
import { join } from "node:path";
import { Agent } from "../agent/agent.ts";
import { networkProof } from "../agent/proof.ts";
import { Identity } from "../authority/identity.ts";
import type { Lifetime } from "../base/lifetime.ts";
import { allocatableOf, withinLimits } from "../host/allocatable.ts";
import { LinuxHost } from "../host/linux-host.ts";
import type { HostFacts } from "../host/host.ts";
import type { BodyCache } from "../registry/body-cache.ts";
import type { ClusterView } from "../registry/cluster-view.ts";
import { MachineSession } from "../registry/machine-session.ts";
import type { EtcdStore } from "../registry/etcd-store.ts";
import type { StoreRecords } from "../registry/store-records.ts";
import { serveAsMember } from "../store-cluster/member.ts";
import type { DaemonOptions } from "./daemon.ts";
import { KnownMembers } from "./known-members.ts";
import { serveSystem } from "./system-role.ts";

export interface AgentRoleOptions extends DaemonOptions {
  readonly store: EtcdStore;
  readonly records: StoreRecords;
  readonly bodies: BodyCache;
  /** A view of the machines, for the members. */
  readonly machines: ClusterView;
  readonly facts: HostFacts;
  readonly name: string;
  readonly apiPort: number;
  readonly lifetime: Lifetime;
}

const leaseFile = "lease.json";

/** Rejects with a SystemdError when systemd cannot be reached yet; nothing is left open then. */
export async function openAgent(
  options: AgentRoleOptions,
): Promise<{ readonly host: LinuxHost; readonly agent: Agent; readonly session: MachineSession }> {
  const { configuration, facts, clock, random, lifetime, store, bodies } = options;
  const capacity = withinLimits(facts.capacity, configuration);
  const { address, runtimeDir, stateDir, leaseSeconds } = configuration;
  const log = options.log.with({ role: "agent" });
  const host = await LinuxHost.open({ runtimeDir, stateDir, clock, log, signal: lifetime.signal });
  lifetime.own(host);
  const { signal } = lifetime;
  const members = await KnownMembers.open(host, options.machines, log);
  const session = MachineSession.open(store, {
    machine: {
      id: facts.machineId,
      name: options.name,
      address,
      apiPort: options.apiPort,
      bootId: facts.bootId,
      metadata: configuration.metadata,
      capacity,
      allocatable: allocatableOf(capacity, configuration),
      os: facts.os,
      keeldVersion: options.version,
      leaseSeconds,
    },
    memory: { read: () => host.readState(leaseFile), write: (text) => host.writeState(leaseFile, text) },
    onReplaced: (listener) => store.onReplaced(listener),
    clock,
    random,
    log,
    signal,
  });
  lifetime.own(session);
  const agent = await Agent.start({
    host,
    store,
    session,
    bodies,
    proof: networkProof(() => store.access.endpoints),
    others: () => members.others(facts.machineId),
    address,
    leaseMs: leaseSeconds * 1000,
    cpus: facts.capacity.cpus,
    clock,
    random,
    log,
    signal,
  });
  lifetime.own(agent);
  const identity = await Identity.open({
    folder: join(stateDir, "store"),
    use: "member",
    addresses: [address],
    clock,
  });
  const member = { host, store, records: options.records, identity, machine: facts.machineId, stateDir };
  lifetime.run("store member", (until) => serveAsMember({ ...member, clock, log }, until));
  const system = { configuration, store, records: options.records, facts, clock, random, log, lifetime };
  lifetime.run("system orders", (until) => serveSystem(system, until));
  return { host, agent, session };
}
