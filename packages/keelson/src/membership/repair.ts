// What is to be done next about the members of the store: one step at most. The leader asks again after each.
// Safety: no step of ours leaves fewer healthy voters than a majority; one change at a time; a member that still
// works leaves only after its successor has a vote. Liveness: with a spare machine the size comes back.
// A member that is dead leaves before its successor comes, since etcd takes no new member while one is missing;
// a majority of the rest is as good as the majority before.
import { chooseNext } from "./choose.ts";
import type { Candidate } from "./choose.ts";

export interface RepairMember {
  /** etcd's id, hexadecimal. */
  readonly id: string;
  /** Machine id; undefined when no machine of the cluster has its address. */
  readonly machine: string | undefined;
  /** For words. */
  readonly name: string;
  readonly isLearner: boolean;
  /** It answers, and has a leader. */
  readonly isHealthy: boolean;
  /** It has what the leader has, but for a moment's worth. */
  readonly isInSync: boolean;
}

export interface RepairMachine extends Candidate {
  /** Milliseconds since its lease ran out; undefined while it is there. */
  readonly goneMs: number | undefined;
}

export interface RepairFacts {
  /** How many members there are to be. */
  readonly size: number;
  readonly members: readonly RepairMember[];
  /** All machines that the cluster remembers. */
  readonly machines: readonly RepairMachine[];
  /** Machines whose member a person wants elsewhere. */
  readonly asked: ReadonlySet<string>;
  /** How long a machine may be gone before its member is replaced. */
  readonly graceMs: number;
}

export type RepairStep = (
  | { readonly kind: "none" | "wait" }
  | { readonly kind: "add"; readonly machine: string }
  | { readonly kind: "promote" | "remove"; readonly member: string }
) & {
  /** What is done or waited for, and why. */
  readonly words: string;
};

/** The next step. */
export function repair(facts: RepairFacts): RepairStep {
  const voters = facts.members.filter(({ isLearner }) => !isLearner);
  const learner = facts.members.find(({ isLearner }) => isLearner);
  const healthy = voters.filter(({ isHealthy }) => isHealthy).length;
  if (healthy < majority(voters.length)) {
    const words = `${healthy} of ${voters.length} members answer, and ${majority(voters.length)} are needed: start their machines`;
    return { kind: "wait", words };
  }
  if (learner) return ofLearner(facts, learner, { healthy, voters: voters.length });
  const condemned = voters.flatMap((member) => {
    const why = condemnation(facts, member);
    return why === undefined ? [] : [{ member, why }];
  });
  // The dead first: they stand in the way of everything else.
  const first = condemned.toSorted((a, b) => Number(a.member.isHealthy) - Number(b.member.isHealthy))[0];
  if (first) return ofCondemned(facts, first, { healthy, voters: voters.length });
  const silent = voters.find(({ isHealthy }) => !isHealthy);
  if (silent) return { kind: "wait", words: patienceWith(facts, silent) };
  if (voters.length < facts.size) return addOne(facts, `${voters.length} of ${facts.size} members are there`);
  return { kind: "none", words: "all members are there" };
}

interface Votes {
  readonly healthy: number;
  readonly voters: number;
}

export const majority = (voters: number): number => Math.floor(voters / 2) + 1;

function ofLearner(facts: RepairFacts, learner: RepairMember, votes: Votes): RepairStep {
  const why = condemnation(facts, learner);
  if (why !== undefined)
    return { kind: "remove", member: learner.id, words: `${learner.name} has no vote yet, and ${why}` };
  if (!learner.isHealthy) return { kind: "wait", words: `${learner.name} is starting` };
  if (!learner.isInSync) return { kind: "wait", words: `${learner.name} is catching up` };
  if (votes.healthy + 1 < majority(votes.voters + 1))
    return { kind: "wait", words: `${learner.name} gets its vote when more members answer` };
  return { kind: "promote", member: learner.id, words: `${learner.name} has caught up and gets its vote` };
}

function ofCondemned(
  facts: RepairFacts,
  { member, why }: { readonly member: RepairMember; readonly why: string },
  { healthy, voters }: Votes,
): RepairStep {
  const remains = healthy - (member.isHealthy ? 1 : 0);
  const mayLeave = remains >= majority(voters - 1);
  const remove: RepairStep = { kind: "remove", member: member.id, words: `${member.name}: ${why}` };
  if (voters > facts.size && mayLeave) return remove;
  // etcd takes no new member while one is missing.
  const silent = facts.members.find((other) => !other.isHealthy);
  if (member.isHealthy && silent) return { kind: "wait", words: patienceWith(facts, silent) };
  if (member.isHealthy) return addOne(facts, `${member.name}: ${why}`);
  if (!mayLeave) return { kind: "wait", words: `${member.name} ${why}, and too few others answer` };
  const isForgotten = member.machine === undefined;
  const hasSpare = spareOf(facts) !== undefined;
  return isForgotten || hasSpare ? remove : addOne(facts, `${member.name}: ${why}`);
}

/** Why a member is to leave; undefined when it is to stay. */
function condemnation({ machines, asked, graceMs }: RepairFacts, member: RepairMember): string | undefined {
  const machine = machines.find(({ id }) => id === member.machine);
  if (machine === undefined) return "its machine was removed from the cluster";
  if (asked.has(machine.id)) return "it was asked to be replaced";
  if (!member.isHealthy && machine.goneMs !== undefined && machine.goneMs >= graceMs)
    return `its machine has been gone for more than ${span(graceMs)}`;
  return undefined;
}

function addOne(facts: RepairFacts, because: string): RepairStep {
  const spare = spareOf(facts);
  if (spare) return { kind: "add", machine: spare.id, words: `${because}; ${spare.name} takes a member` };
  const words = `${because}; no machine is free for another member: add one with \`keel machine add\``;
  return { kind: "wait", words };
}

function spareOf(facts: RepairFacts): Candidate | undefined {
  const present = facts.machines.filter(({ id, goneMs }) => goneMs === undefined && !facts.asked.has(id));
  const staying = facts.members.flatMap(
    ({ machine }) => facts.machines.find(({ id }) => id === machine) ?? [],
  );
  return chooseNext(present, staying);
}

function patienceWith({ machines, graceMs }: RepairFacts, member: RepairMember): string {
  const goneMs = machines.find(({ id }) => id === member.machine)?.goneMs;
  if (goneMs === undefined) return `${member.name} does not answer, though its machine is there`;
  return `${member.name} does not answer and its machine is gone; it is replaced when that has lasted ${span(graceMs)}`;
}

function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
