// How the store is, in words and figures: its members as they answer themselves, and what is being done about them.
import type { Clock } from "../base/clock.ts";
import { keys } from "../model/keys.ts";
import type { StoreKind } from "../model/store.ts";
import type { EtcdStore } from "../registry/etcd-store.ts";
import type { StoreClient } from "../registry/store-client.ts";
import { StoreMembers } from "../registry/store-members.ts";
import type { StoreMember, StoreMembership } from "../registry/store-members.ts";
import type { StoreRecords } from "../registry/store-records.ts";

export interface StoreMemberView {
  /** etcd's id, hexadecimal. */
  readonly id: string;
  readonly name: string;
  /** Machine id and name; empty for a member that runs elsewhere. */
  readonly machine: string;
  readonly machineName: string;
  readonly endpoint: string;
  readonly role: "leader" | "follower" | "learner" | "unknown";
  readonly healthy: boolean;
  /** Why it is not healthy, or what it is doing; empty for a member that does its work. */
  readonly reason: string;
  readonly version: string;
  /** Entries of raft's log that the leader has and this member has not carried out; null when it does not answer. */
  readonly lag: number | null;
  readonly dbSizeBytes: number;
  readonly dbInUseBytes: number;
  /** 0: not known. */
  readonly quotaBytes: number;
  readonly alarms: readonly string[];
}

export interface StoreStatusView {
  readonly kind: StoreKind;
  /** Grows with every change of place or members; 0 while the store is where the configuration says. */
  readonly epoch: number;
  readonly endpoints: readonly string[];
  readonly clusterId: string;
  readonly revision: number;
  /** How many members are wanted, and how many of them have a vote and answer. */
  readonly size: number;
  readonly healthy: number;
  readonly members: readonly StoreMemberView[];
  /** What is wrong or under way, in sentences; empty when all is well. */
  readonly words: readonly string[];
}

/** Alarm of the leader about the store's members. */
export const storeMembersAlarm = "store-members";

/** What the leader says about the members; empty when all is well. */
export async function storeMembersWords(store: StoreClient, signal?: AbortSignal): Promise<string> {
  const options = { timeoutMs: 2000, ...(signal === undefined ? {} : { signal }) };
  const { values } = await store.range({ key: keys.alarm(storeMembersAlarm) }, options);
  return values[0] === undefined ? "" : new TextDecoder().decode(values[0].value);
}

export interface StatusSources {
  readonly store: EtcdStore;
  readonly records: StoreRecords;
  readonly clock: Clock;
  /** Machine ids with names and addresses. */
  readonly machines: () => readonly {
    readonly id: string;
    readonly name: string;
    readonly address: string;
  }[];
  /** What this keeld does about the store, in words. */
  readonly doing: () => readonly string[];
}

/** Asks every member. Rejects when none answers. */
export async function storeStatus(sources: StatusSources, signal?: AbortSignal): Promise<StoreStatusView> {
  const { store, records, clock } = sources;
  const { location } = records;
  await using asked = new StoreMembers(store.access, clock);
  const membership = await asked.read(signal);
  const kind = location?.kind ?? guessKind(membership);
  const members = membership.members
    .map((member) => viewOf(sources, member, membership))
    .toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  const size = location?.size ?? members.length;
  const told = await storeMembersWords(store, signal).catch(() => "");
  const healthy = members.filter((member) => member.healthy && member.role !== "learner").length;
  return {
    kind,
    epoch: location?.epoch ?? 0,
    endpoints: store.access.endpoints,
    clusterId: membership.clusterId,
    revision: Math.max(0, ...membership.members.map(({ status }) => status?.revision ?? 0)),
    size,
    healthy,
    members,
    words: [...complaints(members, { size, healthy }), ...(told === "" ? [] : [told]), ...sources.doing()],
  };
}

/** The embedded server calls itself by the version that it is compatible with; it alone is alone without orders. */
function guessKind({ members }: StoreMembership): StoreKind {
  return members.length === 1 ? "embedded" : "etcd";
}

function viewOf(
  { records, machines }: StatusSources,
  member: StoreMember,
  { members, alarms }: StoreMembership,
): StoreMemberView {
  const host = member.peerUrls.concat(member.clientUrls).map(hostOf);
  const machine = machines().find(({ address }) => host.includes(address));
  const order = machine && records.order(machine.id);
  const newest = Math.max(0, ...members.map(({ status }) => status?.raftIndex ?? 0));
  const { status } = member;
  const report = machine && records.report(machine.id);
  const healthy = status !== undefined && status.hasLeader && status.errors.length === 0;
  return {
    id: member.id,
    name: member.name,
    machine: machine?.id ?? "",
    machineName: machine?.name ?? "",
    endpoint: member.clientUrls[0] ?? member.peerUrls[0] ?? "",
    role: roleOf(member),
    healthy,
    reason: healthy ? "" : reasonOf(member, report?.problem),
    version: status?.version ?? "",
    lag: status === undefined ? null : Math.max(0, newest - status.raftAppliedIndex),
    dbSizeBytes: status?.dbSizeBytes ?? 0,
    dbInUseBytes: status?.dbSizeInUseBytes ?? 0,
    quotaBytes: order?.quotaBytes ?? 0,
    alarms: alarms.filter((alarm) => alarm.member === member.id).map(({ alarm }) => alarm),
  };
}

function roleOf({ status, isLearner }: StoreMember): StoreMemberView["role"] {
  if (isLearner) return "learner";
  if (status === undefined) return "unknown";
  return status.isLeader ? "leader" : "follower";
}

function reasonOf({ status, clientUrls }: StoreMember, reported: string | undefined): string {
  if (reported) return reported;
  if (clientUrls.length === 0) return "it has not started yet";
  if (status === undefined) return "it does not answer";
  return status.hasLeader ? status.errors.join("; ") : "it has no leader";
}

function complaints(
  members: readonly StoreMemberView[],
  { size, healthy }: { readonly size: number; readonly healthy: number },
): string[] {
  const voters = members.filter(({ role }) => role !== "learner").length;
  const spare = healthy - (Math.floor(voters / 2) + 1);
  const words: string[] = [];
  // A member that answers is there, even when it can do nothing without the others.
  const silent = members
    .filter(({ healthy: isHealthy, version }) => !isHealthy && version === "")
    .map(({ name, machineName }) => machineName || name);
  if (spare < 0)
    words.push(
      `the store has no majority and takes no writes${silent.length === 0 ? "" : `: start ${silent.join(", ")}`}`,
    );
  else if (healthy < voters)
    words.push(
      `${voters - healthy} of ${voters} members do not answer; the store bears the loss of ${spare} more`,
    );
  if (voters < size) words.push(`${voters} of ${size} members are there`);
  for (const { name, alarms, dbInUseBytes, quotaBytes } of members) {
    if (alarms.includes("NOSPACE")) words.push(`${name} has used up its space: the store takes no writes`);
    if (alarms.includes("CORRUPT")) words.push(`${name} holds other data than the rest: replace it`);
    if (quotaBytes > 0 && dbInUseBytes > quotaBytes * 0.8)
      words.push(`${name} has used more than 80 % of its space`);
  }
  return words;
}

/** The host of a URL, without brackets; empty when it is none. */
export function hostOf(url: string): string {
  return (URL.parse(url)?.hostname ?? "").replace(/^\[|\]$/g, "");
}
