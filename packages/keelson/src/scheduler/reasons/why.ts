// Why a unit is where it is, or nowhere: each machine with its reasons, from the same functions that place it.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import { instancesOf } from "../../model/instances.ts";
import { withNextTry } from "../../model/next-try.ts";
import type { PlacementSource } from "../../model/placement/cache.ts";
import type { UnitStatus } from "../../model/schedule.ts";
import { templateName } from "../../model/unit-name.ts";
import { evictionsFrom, homeless } from "../choice.ts";
import type { Site } from "../board/board.ts";
import { unenforcedLimits } from "../../model/placement/rules.ts";
import { allRejections, isForRoom } from "../fit.ts";
import { excessOn } from "../overfull.ts";
import { asksForNothing, needOf } from "../board/room.ts";
import { freeOf } from "../board/site-rank.ts";
import type { Placeable } from "../placeable.ts";
import type { SchedulerFacts } from "../plan.ts";
import { reasonsFor } from "./all.ts";
import type { Reason } from "./subject.ts";
import { type Pass, runPass } from "../schedule.ts";

export interface MachineReason {
  readonly id: string;
  readonly name: string;
  /** Whether it has the order now. */
  readonly current: boolean;
  /** Whether the unit could run there, or does. */
  readonly fits: boolean;
  /** In words that follow the machine's name. */
  readonly reasons: readonly string[];
}

export interface InstanceReasons {
  readonly name: string;
  /** Machine ids that have an order for it; several for a global unit. */
  readonly on: readonly string[];
  /** Why it is there; empty when it is nowhere. */
  readonly because: string;
  /** What it waits for; empty when it waits for nothing. */
  readonly waitsFor: string;
  /** Everything that accounts for how it is, what weighs most first. */
  readonly reasons: readonly Reason[];
  /** Every machine of the cluster, by name. */
  readonly machines: readonly MachineReason[];
}

/** Machines times instances: so many are explained at once. */
const mostReasons = 10_000;

/**
 * One entry for each instance of the unit, or for the one instance of that name. Empty for a name that is not known.
 * Of a unit with more instances than can be explained at once, those in trouble come first.
 */
export function why(
  snapshot: ClusterSnapshot,
  name: string,
  { placements, facts }: { readonly placements: PlacementSource; readonly facts: SchedulerFacts },
): InstanceReasons[] {
  const pass = runPass(snapshot, placements, facts);
  const unit = snapshot.units.get(name);
  const names = unit ? instancesOf(unit, snapshot.units).map((instance) => instance.name) : [];
  const known = pass.wanted.placeables.has(name) || pass.wanted.problems.has(name);
  const isOrdered = [...snapshot.schedule.values()].some((entries) => entries.get(name)?.companion === false);
  const asked = names.length === 0 && (known || isOrdered) ? [name] : worstFirst(names, snapshot, pass);
  const most = Math.max(1, Math.floor(mostReasons / Math.max(1, snapshot.members.size)));
  return asked.slice(0, most).map((instance) => explain(instance, { snapshot, wallMs: facts.wallMs }, pass));
}

/** Those without a place, then those that are not well, then the rest, each in their order. */
function worstFirst(names: readonly string[], { statuses, schedule }: ClusterSnapshot, pass: Pass): string[] {
  if (names.length < 2) return [...names];
  const unwell = new Set<string>();
  const placed = new Set<string>();
  for (const [machine, entries] of schedule) {
    for (const name of entries.keys()) {
      placed.add(name);
      const status = statuses.get(machine)?.get(name);
      if (status === undefined || status.health !== "healthy" || status.reason !== "") unwell.add(name);
    }
  }
  const rank = (name: string): number =>
    pass.plan.unplaced.has(name) || !placed.has(name) ? 0 : unwell.has(name) ? 1 : 2;
  const ranked = names.map((name) => ({ name, rank: rank(name) }));
  const isEven = ranked.every((one) => one.rank === ranked[0]?.rank);
  return isEven ? [...names] : ranked.sort((a, b) => a.rank - b.rank).map(({ name }) => name);
}

function explain(
  name: string,
  { snapshot, wallMs }: { readonly snapshot: ClusterSnapshot; readonly wallMs: number },
  pass: Pass,
): InstanceReasons {
  const orders = [...snapshot.schedule].flatMap(([machine, entries]) => {
    const entry = entries.get(name);
    return entry === undefined || entry.companion ? [] : [{ machine, entry }];
  });
  const on = orders.map(({ machine }) => machine);
  const unit = pass.wanted.placeables.get(name);
  const because = orders[0]?.entry.because ?? "";
  const reasons = reasonsFor({
    name,
    unit: snapshot.units.get(name) ?? snapshot.units.get(templateName(name) ?? ""),
    orders: orders.map(({ machine, entry }) => ({
      machine,
      machineName: snapshot.members.get(machine)?.name ?? machine.slice(0, 8),
      entry,
      status: snapshot.statuses.get(machine)?.get(name),
    })),
    snapshot,
    pass,
    wallMs,
  });
  const common = { name, on, because, waitsFor: waitsFor(name, pass, { on, snapshot }), reasons };
  if (unit === undefined) return { ...common, machines: [] };
  const here = pass.board.machinesOf(name);
  const excesses = new Map([...pass.board.sites()].map((site) => [site.machine.id, excessOn(site)]));
  for (const machine of here) pass.board.take(machine, unit);
  const machines = [...pass.board.sites()].map((site): MachineReason => {
    const { id, name } = site.machine;
    const current = on.includes(id);
    const rejections = allRejections(unit, site, pass.board).filter((one) => !current || !isForRoom(one));
    const eviction = homeless(evictionsFrom(site, unit), site, pass.board);
    if (eviction !== undefined) rejections.push(eviction);
    const reasons = rejections.map(({ text }) => text);
    if (current) reasons.unshift(stateOf(snapshot.statuses.get(id)?.get(unit.name), wallMs));
    else if (reasons.length === 0) reasons.push(fitting(unit, site));
    const excess = current ? excesses.get(id) : undefined;
    if (excess !== undefined) reasons.push(`its units ${excess}`);
    const unenforced = unenforcedLimits(unit.rules, site.machine.capacity);
    if ((current || rejections.length === 0) && unenforced.length > 0)
      reasons.push(`does not enforce its limits on ${unenforced.join(", ")}`);
    return { id, name, current, fits: rejections.length === 0, reasons };
  });
  for (const machine of here) pass.board.put(machine, unit);
  return { ...common, machines: [...machines, ...lostMachines(snapshot, pass, on)].sort(byName) };
}

function fitting(unit: Placeable, site: Site): string {
  const asks = !asksForNothing(needOf(unit.rules.resources, site.machine));
  const free = asks ? ` and ${freeOf(unit, site)} % free` : "";
  return `fits; it has ${site.load} ${site.load === 1 ? "unit" : "units"}${free}`;
}

function waitsFor(
  name: string,
  { plan, wanted }: Pass,
  { on, snapshot }: { readonly on: readonly string[]; readonly snapshot: ClusterSnapshot },
): string {
  const unplaced = plan.unplaced.get(name);
  if (unplaced !== undefined) return unplaced.reason;
  const stays = plan.stays.get(name);
  if (stays !== undefined) return `is to move: ${stays}`;
  if (on.length > 0) return "";
  if (wanted.placeables.has(name)) return "the leader has yet to place it";
  return withoutPlace(name, snapshot) ?? "nobody has started it";
}

/** What has ended, what is tried again later, and what only waits for its time, has no machine for that reason. */
function withoutPlace(
  name: string,
  { jobs, timers, machines, members }: ClusterSnapshot,
): string | undefined {
  const job = jobs.get(name) ?? [...jobs.values()].find(({ instance }) => instance === name);
  const run = job?.runs.at(-1);
  const timer = timers.get(name);
  if (run !== undefined) {
    const why = run.reason === "" ? "" : `: ${run.reason}`;
    if (run.state === "waiting") return `its run is tried again at ${instant(run.notBefore)}${why}`;
    const machine = machines.get(run.machine)?.name ?? members.get(run.machine)?.name;
    return `its last run ${run.state}${machine === undefined ? "" : ` on ${machine}`}${why}`;
  }
  if (timer === undefined) return undefined;
  if (timer.reason !== "") return timer.reason;
  return timer.next > 0 ? `the leader starts ${timer.target} at ${instant(timer.next)}` : "it has fired";
}

const instant = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

function stateOf(status: UnitStatus | undefined, wallMs: number): string {
  if (status === undefined) return "has the order and has not answered yet";
  const state = `has it: ${status.active} (${status.sub})`;
  return withNextTry(status.reason === "" ? state : `${state}, ${status.reason}`, status.failures, wallMs);
}

function lostMachines(snapshot: ClusterSnapshot, pass: Pass, on: readonly string[]): MachineReason[] {
  const lost = new Set([...snapshot.members.keys(), ...snapshot.schedule.keys()]);
  return [...lost].flatMap((id) => {
    const departure = pass.departures.machines.get(id);
    if (snapshot.machines.has(id)) return [];
    const name = snapshot.members.get(id)?.name ?? id.slice(0, 8);
    const current = on.includes(id);
    const reason = "does not report";
    const wait = current && departure?.waitsFor !== undefined ? `; ${departure.waitsFor}` : "";
    return [{ id, name, current, fits: false, reasons: [`${reason}${wait}`] }];
  });
}

const byName = (a: MachineReason, b: MachineReason): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
