// Machines that have orders and do not report: whether their units may move now, and if not, what that waits for.
// Invariants: nothing moves while the view of the machines is younger than a lease; nothing moves from machines
// that vanished together with too many others, unless a person has confirmed the loss.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { massFailureAlarm, type SchedulerFacts } from "./plan.ts";

/** More than this share of the machines, and at least two, within this time, is doubted. */
const doubtedShare = 0.4;
const doubtedWithinMs = 60_000;

export interface Departure {
  /** The machine's name. */
  readonly name: string;
  /** Why its units move: "its lease ran out". */
  readonly cause: string;
  /** What moving its units waits for; `undefined` when they may move now. */
  readonly waitsFor: string | undefined;
  /** Its member record is gone: it is not expected back. */
  readonly removed: boolean;
}

export interface Departures {
  /** By machine id, every machine that has orders and does not report. */
  readonly machines: ReadonlyMap<string, Departure>;
  readonly alarms: ReadonlyMap<string, string>;
  /** When a wait ends by itself. */
  readonly againMs: number | undefined;
}

export function judgeDepartures(snapshot: ClusterSnapshot, facts: SchedulerFacts): Departures {
  const machines = new Map<string, Departure>();
  const massFailure = findMassFailure(snapshot, facts);
  const ends: number[] = [];
  for (const id of snapshot.schedule.keys()) {
    if (snapshot.machines.has(id)) continue;
    const member = snapshot.members.get(id);
    const name = member?.name ?? id.slice(0, 8);
    if (member === undefined) {
      machines.set(id, { name, cause: "it was removed", waitsFor: undefined, removed: true });
      continue;
    }
    const wait = waitOf(id, snapshot, { facts, massFailure });
    if (wait?.untilMs !== undefined) ends.push(wait.untilMs);
    machines.set(id, { name, cause: "its lease ran out", waitsFor: wait?.reason, removed: false });
  }
  return {
    machines,
    alarms: massFailure === undefined ? new Map() : new Map([[massFailureAlarm, massFailure]]),
    againMs: ends.length === 0 ? undefined : Math.min(...ends),
  };
}

interface Wait {
  readonly reason: string;
  readonly untilMs?: number;
}

function waitOf(
  machine: string,
  snapshot: ClusterSnapshot,
  { facts, massFailure }: { readonly facts: SchedulerFacts; readonly massFailure: string | undefined },
): Wait | undefined {
  const { nowMs, continuousSinceMs, goneSince, leaseMs } = facts;
  if (continuousSinceMs === undefined) return { reason: "the store is not heard", untilMs: nowMs + 1000 };
  const heldUntil = continuousSinceMs + leaseMs;
  if (nowMs < heldUntil) {
    const reason = "the leader has not watched the machines for a whole lease yet";
    return { reason, untilMs: heldUntil };
  }
  if (massFailure !== undefined) return { reason: massFailure };
  const gone = goneSince.get(machine) ?? nowMs;
  const settledAt = gone + settleMs(snapshot, leaseMs);
  return nowMs < settledAt
    ? { reason: "other machines may be found lost at the same time", untilMs: settledAt }
    : undefined;
}

/**
 * Machines that fail together lose their leases within the time between two renewals. Only after that is it known
 * how many they are.
 */
function settleMs({ members }: ClusterSnapshot, leaseMs: number): number {
  return members.size > 2 ? leaseMs / 4 + 250 : 0;
}

/** In words, when more machines vanished together than is likely for machines that really failed. */
function findMassFailure(
  { members, machines, schedule }: ClusterSnapshot,
  { goneSince, continuousSinceMs = 0 }: SchedulerFacts,
): string | undefined {
  const gone: { id: string; since: number }[] = [];
  for (const id of members.keys()) {
    const since = goneSince.get(id);
    if (machines.has(id) || since === undefined) continue;
    // One that was gone before this view began, and has no orders any more, was judged by an earlier leader.
    if (since > continuousSinceMs || schedule.has(id)) gone.push({ id, since });
  }
  gone.sort((a, b) => a.since - b.since);
  let most = 0;
  for (let last = 0, first = 0; last < gone.length; last++) {
    while ((gone[last]?.since ?? 0) - (gone[first]?.since ?? 0) > doubtedWithinMs) first += 1;
    most = Math.max(most, last - first + 1);
  }
  if (most < 2 || most <= members.size * doubtedShare) return undefined;
  const names = gone.map(({ id }) => members.get(id)?.name ?? id).sort();
  const shown =
    names.length > 6 ? `${names.slice(0, 5).join(", ")} and ${names.length - 5} more` : names.join(", ");
  return `${gone.length} of ${members.size} machines vanished together (${shown}): their units stay where they are until the machines return or are removed (keel machine rm)`;
}
