// Room that is not there yet: where something is stopping already, or where units give way, those that the unit
// replaces and, with Preempt=yes, those of a lower priority.
// Invariants: who gives way for room has a lower priority, so nobody makes room in a circle; nobody gives way who
// need not; where waiting is enough nobody gives way.
import type { Board, Site } from "./board/board.ts";
import { evictionsFrom, refusalButForRoom } from "./choice.ts";
import { leadersOf } from "./company.ts";
import type { Placeable } from "./placeable.ts";
import {
  type Amounts,
  asksForNothing,
  fitsInto,
  freeOn,
  minus,
  needOf,
  nothing,
  plus,
  shareOf,
} from "./board/room.ts";
import { compareNumbers, compareRanks, inPlacesOf, rankOf } from "./board/site-rank.ts";

/** The best of the machines that will have room when what is stopping there has stopped. */
export function roomToCome(unit: Placeable, board: Board): Site | undefined {
  const sites = [...board.beingRelieved()].filter((site) => willHaveRoom(unit, site, board));
  return sites.sort(bySuitability(unit, board))[0];
}

export function willHaveRoom(unit: Placeable, site: Site, board: Board): boolean {
  const need = needOf(unit.rules.resources, site.machine);
  return (
    !asksForNothing(need) &&
    fitsInto(need, plus(freeOn(site), site.leaving)) &&
    refusalButForRoom(unit, site, board) === undefined
  );
}

export interface Clearance {
  readonly site: Site;
  /** Who gives way. Never empty. */
  readonly victims: readonly Placeable[];
}

export interface Company {
  /** By unit, all that must run beside it. */
  readonly followers: ReadonlyMap<string, readonly Placeable[]>;
  /** Whether the unit may be stopped there. */
  readonly mayStop: (unit: Placeable, site: Site) => boolean;
}

interface Finding {
  readonly revision: number;
  readonly victims: readonly Placeable[] | undefined;
}

/** By machine id, what was found for units alike; for as long as nothing changes on the machine. */
export type Findings = Map<string, Finding>;

/** The machine on which the least important units give way, then the fewest, then the best one. */
export function bestClearance(
  unit: Placeable,
  board: Board,
  { company, findings }: { readonly company: Company; readonly findings: Findings },
): Clearance | undefined {
  if (!mayMakeRoom(unit)) return undefined;
  let best: Clearance | undefined;
  const suits = bySuitability(unit, board);
  for (const site of board.sites()) {
    const { id } = site.machine;
    let finding = findings.get(id);
    // Those who keep others away look at names.
    if (finding?.revision !== site.revision || site.repelling.size > 0) {
      finding = { revision: site.revision, victims: clearanceOf(unit, site, { board, company }) };
      findings.set(id, finding);
    }
    const { victims } = finding;
    if (victims === undefined) continue;
    const order = best === undefined ? -1 : compareVictims(victims, best.victims) || suits(site, best.site);
    if (order < 0) best = { site, victims };
  }
  return best;
}

const compareVictims = (one: readonly Placeable[], other: readonly Placeable[]): number =>
  highest(one) - highest(other) || one.length - other.length;

/** Who has to give way on the machine for the unit to have room there; `undefined` when nothing helps. */
export function clearanceOf(
  unit: Placeable,
  site: Site,
  { board, company }: { readonly board: Board; readonly company: Company },
): readonly Placeable[] | undefined {
  if (!mayMakeRoom(unit)) return undefined;
  const replaced = evictionsFrom(site, unit);
  const short = minus(needOf(unit.rules.resources, site.machine), plus(freeOn(site), site.leaving));
  const missing = shortOf(minus(short, needOfAll(replaced, site)));
  if (replaced.length === 0 && asksForNothing(missing)) return undefined;
  const lesser = asksForNothing(missing)
    ? []
    : lesserUnits(unit, site, { company, missing, spared: new Set(replaced) });
  if (lesser === undefined || refusalButForRoom(unit, site, board) !== undefined) return undefined;
  return [...replaced, ...lesser];
}

/** A unit that is only to be there stops nobody. */
export const mayMakeRoom = ({ rules, instance }: Placeable): boolean =>
  rules.replaces.length > 0 || (rules.preempts && instance.desired === "launched");

/** A unit with those that have to go when it goes. */
interface Group {
  readonly units: readonly Placeable[];
  readonly priority: number;
  readonly frees: Amounts;
}

interface Search {
  readonly company: Company;
  readonly missing: Amounts;
  /** Units that give way in any case. */
  readonly spared: ReadonlySet<Placeable>;
}

/** Of as low a priority as will do, as few as will do, none without whom there would be room. */
function lesserUnits(unit: Placeable, site: Site, search: Search): readonly Placeable[] | undefined {
  const { missing } = search;
  if (!unit.rules.preempts || !couldDo(unit, site, missing)) return undefined;
  const groups = groupsOn(site, unit, search).sort(byPriority);
  for (const priority of new Set(groups.map((group) => group.priority))) {
    const candidates = groups.filter((group) => group.priority <= priority);
    const chosen = fewestOf(candidates, missing) ?? fewestOf(withoutParts(candidates), missing);
    if (chosen !== undefined) return [...new Set(chosen.flatMap(({ units }) => units))];
  }
  return undefined;
}

/** Whether there would be room if all gave way that are less important: quickly, for it is asked of every machine. */
function couldDo(unit: Placeable, site: Site, { memoryBytes, milliCpus }: Amounts): boolean {
  let [memory, cpus] = [memoryBytes, milliCpus];
  for (const { rules } of site.units.values()) {
    if (rules.priority >= unit.rules.priority) continue;
    const need = needOf(rules.resources, site.machine);
    memory -= need.memoryBytes;
    cpus -= need.milliCpus;
    if (memory <= 0 && cpus <= 0) return true;
  }
  return false;
}

function groupsOn(site: Site, unit: Placeable, { company, spared }: Search): Group[] {
  const { followers, mayStop } = company;
  const groups: Group[] = [];
  const leaders = leadersOf(unit);
  for (const other of site.units.values()) {
    const beside = followers.get(other.name)?.filter(({ name }) => site.units.has(name)) ?? [];
    const units = [other, ...beside];
    const priority = highest(units);
    if (priority >= unit.rules.priority) continue;
    const isNeeded = units.some((one) => leaders.includes(one.name) || spared.has(one));
    if (isNeeded || !units.every((one) => mayStop(one, site))) continue;
    const frees = needOfAll(units, site);
    if (!asksForNothing(frees)) groups.push({ units, priority, frees });
  }
  return groups;
}

/** Without those who are part of another group: so nothing is counted twice. */
function withoutParts(groups: readonly Group[]): Group[] {
  const followers = new Set(groups.flatMap(({ units }) => units.slice(1)));
  return groups.filter(({ units: [head] }) => head === undefined || !followers.has(head));
}

/** The one that helps most, again and again, of groups apart; then none that turns out not to be needed. */
function fewestOf(groups: readonly Group[], missing: Amounts): readonly Group[] | undefined {
  const left = new Set(groups);
  let chosen: Group[] = [];
  for (let short = missing; !asksForNothing(short);) {
    let [best, bestGain] = [undefined as Group | undefined, 0];
    for (const group of left) {
      const gain = shareOf(group.frees, short);
      if (gain > bestGain) [best, bestGain] = [group, gain];
    }
    if (best === undefined) return undefined;
    chosen.push(best);
    for (const group of left) if (group.units.some((unit) => best?.units.includes(unit))) left.delete(group);
    short = shortOf(minus(short, best.frees));
  }
  for (const group of [...chosen].sort(byPriority).reverse()) {
    const without = chosen.filter((other) => other !== group);
    const freed = without.reduce((sum, { frees }) => plus(sum, frees), nothing);
    if (asksForNothing(shortOf(minus(missing, freed)))) chosen = without;
  }
  return chosen;
}

function needOfAll(units: Iterable<Placeable>, { machine }: Site): Amounts {
  let all = nothing;
  for (const { rules } of units) all = plus(all, needOf(rules.resources, machine));
  return all;
}

const shortOf = ({ memoryBytes, milliCpus }: Amounts): Amounts => ({
  memoryBytes: Math.max(0, memoryBytes),
  milliCpus: Math.max(0, milliCpus),
});

const highest = (units: readonly Placeable[]): number =>
  Math.max(...units.map(({ rules }) => rules.priority));

const byPriority = (one: Group, other: Group): number =>
  one.priority - other.priority || ((one.units[0]?.name ?? "") < (other.units[0]?.name ?? "") ? -1 : 1);

const bySuitability =
  (unit: Placeable, board: Board) =>
  (one: Site, other: Site): number =>
    compareNumbers(inPlacesOf(unit, one, board), inPlacesOf(unit, other, board)) ||
    compareRanks(rankOf(unit, one, board), rankOf(unit, other, board));
