// What would happen if: the cluster is played on as it is, then again with what is supposed, and the two ends are
// compared. The API answers `POST /v1/what-if` with it. Pure, and nothing is changed.
// Invariant: the same functions decide as in the leader, so that what is foretold is what happens when stops and
// starts succeed.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Machine } from "../../model/machine.ts";
import type { Change } from "../../model/operation.ts";
import type { RecordChange } from "../../model/record-kinds.ts";
import { compareNames } from "../../model/unit-name.ts";
import { loadsOf, type MachineLoad, noLoad } from "../board/load.ts";
import { Play, type PlayOptions } from "./play.ts";
import { withChanges, withRecords } from "./supposed-records.ts";

/** What is supposed; all of it at the same moment. */
export interface Supposition {
  /** Ids of machines that are gone from one moment to the next. */
  readonly lost?: readonly string[];
  readonly added?: readonly Machine[];
  readonly changes?: readonly Change[];
  readonly records?: readonly RecordChange[];
}

export interface SupposedMove {
  readonly instance: string;
  /** Machine ids; empty for an instance that was on none. */
  readonly from: readonly string[];
  /** Empty for one that is on none any more, because nobody wants it. */
  readonly to: readonly string[];
  /** Why it goes there. */
  readonly because: string;
}

export interface SupposedUnplaced {
  readonly instance: string;
  /** Where it was; empty for one that had no place, or did not exist. */
  readonly from: readonly string[];
  readonly reason: string;
  /** It has no place as things are, either. */
  readonly already: boolean;
}

/** An instance that is to move, because its machine is drained for one, and cannot. */
export interface SupposedStay {
  readonly instance: string;
  readonly reason: string;
}

export interface SupposedMachine {
  readonly id: string;
  readonly name: string;
  readonly state: "stays" | "lost" | "added";
  readonly before: MachineLoad;
  readonly after: MachineLoad;
}

export interface WhatIf {
  /** Instances that would be elsewhere, by name. */
  readonly moves: readonly SupposedMove[];
  /** Instances that would be nowhere, by name. */
  readonly unplaced: readonly SupposedUnplaced[];
  /** Instances that would have to leave their machine and would stay, by name. */
  readonly stays: readonly SupposedStay[];
  /** Every machine, by name. */
  readonly machines: readonly SupposedMachine[];
  /** Alarms that would be raised, in words. */
  readonly alarms: readonly string[];
  /** Every instance that has a place now, or is new, has one afterwards, where it may stay. */
  readonly fits: boolean;
  /** `false` when the cluster had not come to rest after as much time as was looked at. */
  readonly settled: boolean;
}

/** Works it out; yields between passes, so that a long one can be interrupted or spread. */
export function* whatIf(
  snapshot: ClusterSnapshot,
  supposed: Supposition,
  options: PlayOptions,
): Generator<undefined, WhatIf> {
  const asIs = new Play(snapshot, { ...options, facts: watched(options.facts) });
  while (asIs.step()) yield;
  const { snapshot: moved, facts } = suppose(asIs, supposed);
  const asIf = new Play(moved, { ...options, facts });
  while (asIf.step()) yield;
  return compare({ asIs, asIf, supposed, options });
}

/** A leader that has just begun to watch holds everything back: that is not what is asked about. */
function watched(facts: PlayOptions["facts"]): PlayOptions["facts"] {
  const { nowMs, leaseMs, continuousSinceMs = nowMs } = facts;
  return { ...facts, continuousSinceMs: Math.min(continuousSinceMs, nowMs - leaseMs) };
}

function suppose(
  { snapshot, facts }: Play,
  { lost = [], added = [], changes = [], records = [] }: Supposition,
): { snapshot: ClusterSnapshot; facts: PlayOptions["facts"] } {
  const next = withChanges(withRecords(snapshot, records), changes);
  if (lost.length === 0 && added.length === 0) return { snapshot: next, facts };
  const machines = new Map(next.machines);
  const members = new Map(next.members);
  const statuses = new Map(next.statuses);
  const goneSince = new Map(facts.goneSince);
  for (const id of lost) {
    machines.delete(id);
    statuses.delete(id);
    if (!goneSince.has(id)) goneSince.set(id, facts.nowMs);
  }
  for (const machine of added) {
    const { id, name, address, apiPort } = machine;
    machines.set(id, machine);
    members.set(id, { id, name, address, apiPort, joined: facts.wallMs });
  }
  return { snapshot: { ...next, machines, members, statuses }, facts: { ...facts, goneSince } };
}

interface Comparison {
  readonly asIs: Play;
  readonly asIf: Play;
  readonly supposed: Supposition;
  readonly options: PlayOptions;
}

function compare({ asIs, asIf, supposed, options }: Comparison): WhatIf {
  const before = placesOf(asIs.snapshot);
  const after = placesOf(asIf.snapshot);
  const waited = asIs.plan?.unplaced ?? new Map();
  const waits = asIf.plan?.unplaced ?? new Map();
  const moves: SupposedMove[] = [];
  for (const [instance, to] of after) {
    const from = before.get(instance)?.machines ?? [];
    if (!sameMachines(from, to.machines))
      moves.push({ instance, from, to: to.machines, because: to.because });
  }
  for (const [instance, { machines }] of before) {
    if (after.has(instance) || waits.has(instance)) continue;
    moves.push({ instance, from: machines, to: [], because: whyGone(machines, supposed) });
  }
  const unplaced = [...waits]
    .filter(([instance]) => !after.has(instance))
    .map(([instance, { reason }]) => {
      const from = before.get(instance)?.machines ?? [];
      return { instance, from, reason, already: from.length === 0 && waited.has(instance) };
    });
  const stays = [...(asIf.plan?.stays ?? [])]
    .filter(([instance]) => asIs.plan?.stays.has(instance) !== true)
    .map(([instance, reason]) => ({ instance, reason }));
  const alarms = [...(asIf.plan?.alarms ?? [])].filter(([name]) => asIs.plan?.alarms.has(name) !== true);
  return {
    moves: moves.sort(byInstance),
    unplaced: unplaced.sort(byInstance),
    stays: stays.sort(byInstance),
    machines: machinesOf({ asIs, asIf, supposed, options }),
    alarms: alarms.map(([, text]) => text),
    fits: stays.length === 0 && unplaced.every(({ already }) => already),
    settled: asIs.isSettled && asIf.isSettled,
  };
}

const whyGone = (machines: readonly string[], { lost = [] }: Supposition): string =>
  machines.every((id) => lost.includes(id)) ? "it runs there only" : "it is not wanted any more";

function machinesOf({
  asIs,
  asIf,
  supposed: { lost = [], added = [] },
  options,
}: Comparison): SupposedMachine[] {
  const before = loadsOf(asIs.snapshot, options.placements);
  const after = loadsOf(asIf.snapshot, options.placements);
  const all = new Map([...asIs.snapshot.machines, ...added.map((machine) => [machine.id, machine] as const)]);
  const state = (id: string): SupposedMachine["state"] =>
    lost.includes(id) ? "lost" : asIs.snapshot.machines.has(id) ? "stays" : "added";
  return [...all.values()]
    .map(({ id, name }) => ({
      id,
      name,
      state: state(id),
      before: before.get(id) ?? noLoad,
      after: (lost.includes(id) ? undefined : after.get(id)) ?? noLoad,
    }))
    .sort((a, b) => compareNames(a.name, b.name));
}

interface Place {
  readonly machines: string[];
  readonly because: string;
}

/** Instances with an order on a machine that reports, companions left out. */
function placesOf({ schedule, machines }: ClusterSnapshot): Map<string, Place> {
  const places = new Map<string, Place>();
  for (const [machine, entries] of schedule) {
    if (!machines.has(machine)) continue;
    for (const { unit, companion, because } of entries.values()) {
      if (companion) continue;
      const place = places.get(unit);
      if (place === undefined) places.set(unit, { machines: [machine], because });
      else place.machines.push(machine);
    }
  }
  return places;
}

const sameMachines = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((id) => other.includes(id));

const byInstance = (a: { readonly instance: string }, b: { readonly instance: string }): number =>
  compareNames(a.instance, b.instance);
