// Which instances would be better off elsewhere, now that machines have come back or been added: a bounded list of
// moves, each of which is an improvement by the scheduler's own ranking of machines. Pure.
// Invariant: every move lowers the sum of squares of what it improves (replicas in a place, replicas on a machine,
// units on a machine) or brings a unit to machines that it prefers, and worsens nothing that ranks higher; so that
// moves come to an end, and none is taken back by the next.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { PlacementSource } from "../../model/placement/cache.ts";
import { isOpen } from "../../model/version-of.ts";
import { compareNames } from "../../model/unit-name.ts";
import type { Board } from "../board/board.ts";
import { choose } from "../choice.ts";
import { followersOf, leadersOf } from "../company.ts";
import type { Placeable } from "../placeable.ts";
import type { SchedulerFacts } from "../plan.ts";
import { type Pass, runPass } from "../schedule.ts";
import { placesOf, type Site } from "../board/site.ts";
import { compareNumbers, inPlacesOf, rankOf } from "../board/site-rank.ts";

export interface RebalanceMove {
  readonly instance: string;
  /** Machine ids. */
  readonly from: string;
  readonly to: string;
  /** "m1 has 5 units, m3 has 1". */
  readonly because: string;
}

export interface RebalancePlan {
  /** The most urgent first. */
  readonly moves: readonly RebalanceMove[];
  /** Why nothing should move now, in words; `undefined` when the cluster is at rest. */
  readonly waitsFor: string | undefined;
}

export interface RebalanceLimits {
  readonly most: number;
  /** Instances that were placed later than this stay, Unix milliseconds. */
  readonly placedBefore?: number;
  /** How many units more than elsewhere are worth a move; at least 2. */
  readonly difference?: number;
}

/** So many percent more must be free elsewhere. */
const worthPercent = 15;

export function planRebalance(
  snapshot: ClusterSnapshot,
  { placements, facts }: { readonly placements: PlacementSource; readonly facts: SchedulerFacts },
  limits: RebalanceLimits,
): RebalancePlan {
  const pass = runPass(snapshot, placements, facts);
  const waitsFor = unrest(snapshot, pass);
  if (waitsFor !== undefined) return { moves: [], waitsFor };
  const { board, wanted } = pass;
  const followers = followersOf(wanted.placeables);
  const isFree = (unit: Placeable): boolean => {
    if (unit.rules.global || unit.weight === 0 || unit.run !== undefined || unit.shuns !== undefined)
      return false;
    return unit.instance.desired === "launched" && leadersOf(unit).length === 0 && !followers.has(unit.name);
  };
  const moves: RebalanceMove[] = [];
  const moved = new Set<string>();
  while (moves.length < limits.most) {
    const move = nextMove(board, {
      snapshot,
      limits,
      isFree: (unit) => !moved.has(unit.name) && isFree(unit),
    });
    if (move === undefined) break;
    moved.add(move.instance);
    moves.push(move);
  }
  return { moves, waitsFor };
}

/** Why the cluster is not at rest. */
function unrest(
  { rollouts, machineSettings, moves }: ClusterSnapshot,
  { plan, departures }: Pass,
): string | undefined {
  for (const alarm of departures.alarms.values()) return alarm;
  for (const { name } of departures.machines.values()) return `${name} does not report and has units`;
  if (moves.size > 0)
    return `${moves.size} ${moves.size === 1 ? "unit is" : "units are"} on their way already`;
  for (const [instance, why] of plan.stays) return `${instance} is to move: ${why}`;
  for (const { unit, state } of rollouts.values()) {
    if (isOpen(state) && state !== "aborted") return `the rollout of ${unit} is not over`;
  }
  if ([...machineSettings.values()].some(({ drain }) => drain !== undefined) && plan.awaitsReports)
    return "a machine is being drained";
  if (plan.groups.length > 0 || plan.awaitsReports) return "units are being placed or stopped";
  return undefined;
}

interface Search {
  readonly snapshot: ClusterSnapshot;
  readonly limits: RebalanceLimits;
  readonly isFree: (unit: Placeable) => boolean;
}

/**
 * The first worthwhile move of those that matter most, from the fullest machine on; it is made on the board. What
 * ranks lower waits: it may look different afterwards.
 */
function nextMove(board: Board, search: Search): RebalanceMove | undefined {
  const sites = [...board.sites()].toSorted((a, b) => b.load - a.load || a.order - b.order);
  let best:
    | { readonly unit: Placeable; readonly from: Site; readonly to: Site; readonly gain: Gain }
    | undefined;
  for (const from of sites) {
    // Who is on a machine that takes no new units stays there.
    if (from.closed !== undefined) continue;
    for (const unit of [...from.units.values()].toSorted((a, b) => compareNames(a.name, b.name))) {
      if (!mayMove(unit, from, search)) continue;
      board.take(from.machine.id, unit);
      const choice = choose(unit, board, []);
      const to = "site" in choice && choice.evicts.length === 0 ? choice.site : undefined;
      const gain = to && gainOf(unit, from, { to, board, difference: search.limits.difference ?? 2 });
      board.put(from.machine.id, unit);
      if (to === undefined || gain === undefined || gain.level >= (best?.gain.level ?? Infinity)) continue;
      best = { unit, from, to, gain };
    }
  }
  if (best === undefined) return undefined;
  const { unit, from, to, gain } = best;
  board.take(from.machine.id, unit);
  board.put(to.machine.id, unit);
  return { instance: unit.name, from: from.machine.id, to: to.machine.id, because: gain.because };
}

function mayMove(unit: Placeable, { machine }: Site, { snapshot, limits, isFree }: Search): boolean {
  const placed = snapshot.schedule.get(machine.id)?.get(unit.name)?.placed;
  if (placed === undefined || !isFree(unit)) return false;
  return limits.placedBefore === undefined || placed <= limits.placedBefore;
}

interface Gain {
  /** What matters more is lower. */
  readonly level: number;
  /** In words. */
  readonly because: string;
}

/** What is better there; `undefined` when it is not worth a move. The unit is on neither machine now. */
function gainOf(
  unit: Placeable,
  from: Site,
  { to, board, difference }: { readonly to: Site; readonly board: Board; readonly difference: number },
): Gain | undefined {
  if (from === to) return undefined;
  const there = inPlacesOf(unit, to, board);
  const here = inPlacesOf(unit, from, board);
  const places = compareNumbers(there, here);
  if (places > 0) return undefined;
  if (places < 0) return { level: 0, because: placeWords(unit, { from, to, here, there }) };
  const [now, then] = [rankOf(unit, from, board), rankOf(unit, to, board)];
  const names = { from: from.machine.name, to: to.machine.name };
  if (then.siblings > now.siblings) return undefined;
  if (then.siblings < now.siblings) {
    const of = unit.template ?? unit.name;
    const because = `${names.from} has ${now.siblings + 1} of ${of}, ${names.to} has ${then.siblings}`;
    return { level: 1, because };
  }
  if (then.disfavour > now.disfavour) return undefined;
  if (then.disfavour < now.disfavour) return { level: 2, because: `it prefers ${names.to}` };
  const { memoryBytes, memoryShare, cpus } = unit.rules.resources;
  if (memoryBytes + memoryShare + cpus > 0) {
    if (then.free < now.free + worthPercent) return undefined;
    return {
      level: 3,
      because: `${names.to} has ${then.free} % free, ${names.from} would have ${now.free} %`,
    };
  }
  if (now.load + 1 - then.load < Math.max(2, difference)) return undefined;
  return { level: 4, because: `${names.from} has ${now.load + 1} units, ${names.to} has ${then.load}` };
}

function placeWords(
  { rules, template = "" }: Placeable,
  { from, to, here, there }: { from: Site; to: Site; here: readonly number[]; there: readonly number[] },
): string {
  const at = here.findIndex((count, index) => count !== there[index]);
  const words = ({ machine }: Site): string => placesOf(machine, rules.spreadOver)[at] ?? machine.name;
  return `${words(from)} has ${(here[at] ?? 0) + 1} of ${template}, ${words(to)} has ${there[at] ?? 0}`;
}
