// Whether the cluster can lose any one machine: of each machine, where everything on it would go. Cheap where it is
// cheap (the units are tried on the board that a pass ends on, by the functions of the pass, and taken off again),
// and played out where that does not decide it. Pure.
// Invariant: a machine is said to be dispensable only if the leader's pass without it would place everything.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Board, Site } from "../board/board.ts";
import { choose } from "../choice.ts";
import { byDependence, followersOf } from "../company.ts";
import { judgeDepartures } from "../departures.ts";
import { inTurn } from "../newcomers.ts";
import type { Placeable } from "../placeable.ts";
import { Play, type PlayOptions } from "./play.ts";
import { runPass, type Pass } from "../schedule.ts";
import { summarise } from "../words.ts";

/** A machine that the cluster cannot do without. */
export interface Indispensable {
  readonly machine: string;
  readonly name: string;
  /** An instance that would be nowhere; empty when nothing at all would move. */
  readonly instance: string;
  /** Why, in words: "no machine fits: m2, m3 has no disk=ssd". */
  readonly reason: string;
  /** How many instances would be nowhere. */
  readonly instances: number;
}

export interface Survivability {
  /** In the order of machine names, at most `mostNamed`. */
  readonly indispensable: readonly Indispensable[];
  /** There may be more of them: the rest was not looked at. */
  readonly isCut: boolean;
  /** Machines that were looked at, and how many of those were played out. */
  readonly machines: number;
  readonly played: number;
}

/** When so many are found, the others are not looked for. */
export const mostNamed = 10;

/** Yields after each piece of work: a machine that was tried, or a pass that was played. */
export function* survivability(
  snapshot: ClusterSnapshot,
  options: PlayOptions,
): Generator<undefined, Survivability> {
  const { facts } = options;
  const continuousSinceMs = Math.min(facts.continuousSinceMs ?? facts.nowMs, facts.nowMs - facts.leaseMs);
  const play = new Play(snapshot, { ...options, facts: { ...facts, continuousSinceMs } });
  while (play.step()) yield;
  const rest: Rest = { play, pass: runPass(play.snapshot, options.placements, play.facts), options };
  const followers = followersOf(rest.pass.wanted.placeables);
  const found: Indispensable[] = [];
  const unsure: Site[] = [];
  let looked = 0;
  for (const site of rest.pass.board.sites()) {
    yield;
    looked += 1;
    const verdict = tryWithout(site, rest, followers);
    if (verdict === "unsure") unsure.push(site);
    else if (verdict !== "fits") found.push(verdict);
    if (found.length >= mostNamed) break;
  }
  let played = 0;
  for (const site of unsure) {
    if (found.length >= mostNamed) break;
    played += 1;
    const verdict = yield* playWithout(site, rest);
    if (verdict !== undefined) found.push(verdict);
  }
  return {
    indispensable: found.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true })),
    isCut: found.length >= mostNamed,
    machines: looked,
    played,
  };
}

/** The cluster at rest. */
interface Rest {
  readonly play: Play;
  readonly pass: Pass;
  readonly options: PlayOptions;
}

type Verdict = "fits" | "unsure" | Indispensable;

function tryWithout(
  site: Site,
  { play, pass }: Rest,
  followers: ReadonlyMap<string, readonly Placeable[]>,
): Verdict {
  const { id, name } = site.machine;
  const held = heldBack(id, play);
  const orders = [...(play.snapshot.schedule.get(id)?.values() ?? [])].filter(({ companion }) => !companion);
  const first = orders[0];
  if (held !== undefined && first !== undefined)
    return { machine: id, name, instance: first.unit, reason: held, instances: orders.length };
  for (const { unit } of orders) {
    const problem = pass.wanted.problems.get(unit);
    if (problem !== undefined)
      return { machine: id, name, instance: unit, reason: problem.reason, instances: 1 };
  }
  const movers = [...site.units.values()].filter(({ rules }) => !rules.global);
  if (movers.length === 0) return "fits";
  return tryElsewhere(site, { movers, followers, pass, play });
}

interface Trial {
  readonly movers: readonly Placeable[];
  readonly followers: ReadonlyMap<string, readonly Placeable[]>;
  readonly pass: Pass;
  readonly play: Play;
}

/** Tries to place what is on the machine as the pass would; the board is as before when it is done. */
function tryElsewhere(site: Site, { movers, followers, pass, play }: Trial): Verdict {
  const { board } = pass;
  const { id, name } = site.machine;
  const companyOf = (unit: Placeable): readonly Placeable[] => followers.get(unit.name) ?? [];
  // Queues that are made from here on shall know the machine, for the others that follow.
  for (const unit of movers) choose(unit, board, companyOf(unit));
  using undo = new DisposableStack();
  undo.defer(() => movers.forEach((unit) => board.put(id, unit)));
  for (const unit of movers) board.take(id, unit);
  undo.use(board.close(id, "is lost"));
  let missing: Indispensable | undefined;
  const sorted = movers.toSorted(inTurn);
  for (const unit of byDependence(sorted, pass.wanted.placeables)) {
    const choice = choose(unit, board, companyOf(unit));
    if (!("site" in choice)) {
      const { final, reason } = summarise(withoutMachine(choice.rejections, id), play.snapshot);
      if (!final || mayStillFit(unit)) return "unsure";
      missing ??= { machine: id, name, instance: unit.name, reason, instances: 0 };
      missing = { ...missing, instances: missing.instances + 1 };
      continue;
    }
    if (choice.evicts.length > 0) return "unsure";
    place(unit, choice.site.machine.id, { board, undo });
  }
  return missing ?? "fits";
}

/** It may push others aside, or go where it does not like to be. */
const mayStillFit = ({ rules, shuns }: Placeable): boolean =>
  rules.preempts || rules.replaces.length > 0 || (shuns?.size ?? 0) > 0;

function place(
  unit: Placeable,
  machine: string,
  { board, undo }: { readonly board: Board; readonly undo: DisposableStack },
): void {
  board.put(machine, unit);
  undo.defer(() => board.take(machine, unit));
}

function withoutMachine<T>(all: ReadonlyMap<string, T>, machine: string): Map<string, T> {
  const others = new Map(all);
  others.delete(machine);
  return others;
}

/** Why the leader would leave everything where it is, when the machine is lost beside those that are gone already. */
function heldBack(machine: string, { snapshot, facts }: Play): string | undefined {
  if (facts.goneSince.size === 0) return undefined;
  const { alarms } = judgeDepartures(lacking(snapshot, machine), lost(facts, machine));
  for (const text of alarms.values()) return text;
  return undefined;
}

/** What comes of it when it is played. */
function* playWithout(
  { machine: { id, name } }: Site,
  { play: { snapshot, facts }, pass, options }: Rest,
): Generator<undefined, Indispensable | undefined> {
  const play = new Play(lacking(snapshot, id), { ...options, facts: lost(facts, id) });
  while (play.step()) yield;
  yield;
  const missing = [...(play.plan?.unplaced ?? [])].filter(([unit]) => !pass.plan.unplaced.has(unit));
  const [first] = missing;
  if (first === undefined) return undefined;
  const [instance, { reason }] = first;
  return { machine: id, name, instance, reason, instances: missing.length };
}

function lacking(snapshot: ClusterSnapshot, machine: string): ClusterSnapshot {
  const machines = new Map(snapshot.machines);
  const statuses = new Map(snapshot.statuses);
  machines.delete(machine);
  statuses.delete(machine);
  return { ...snapshot, machines, statuses };
}

const lost = (facts: PlayOptions["facts"], machine: string): PlayOptions["facts"] => ({
  ...facts,
  goneSince: new Map([...facts.goneSince, [machine, facts.nowMs]]),
});
