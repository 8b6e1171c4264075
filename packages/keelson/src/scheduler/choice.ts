// Which machine a unit goes to: the best by site-rank.ts of those that take it.
import type { Board, Site } from "./board/board.ts";
import { leadersOf } from "./company.ts";
import { givesWay, type Rejection, rejection, rejectionButForRoom } from "./fit.ts";
import type { Placeable } from "./placeable.ts";
import { asksForNothing, type Demand, needOf, together } from "./board/room.ts";
import { compareNumbers, compareRanks, freeOf, inPlacesOf, rankOf } from "./board/site-rank.ts";
import { placesOf } from "./board/site.ts";
import { type BestSite, SiteQueue } from "./board/site-queue.ts";

export type Choice =
  | { readonly site: Site; readonly because: string; readonly evicts: readonly Placeable[] }
  | { readonly rejections: ReadonlyMap<string, Rejection> };

/**
 * @param followers units that will have to run beside this one: machines that suit them, and have room for all of
 * them, go first
 */
export function choose(unit: Placeable, board: Board, followers: readonly Placeable[]): Choice {
  const best = bestSite(unit, board, followers);
  if (best === undefined) return { rejections: allRefusals(unit, board) };
  const { site } = best;
  return { site, evicts: evictionsFrom(site, unit), because: reasonFor(unit, best, board) };
}

function bestSite(unit: Placeable, board: Board, followers: readonly Placeable[]): BestSite | undefined {
  const company = companySites(unit, board);
  if (company !== undefined) return bestOf(company, unit, board);
  if (followers.length > 0) {
    const demand = together([unit, ...followers].map(({ rules }) => rules.resources));
    const best = bestInQueue(unit, board, { company: followers, demand });
    if (best !== undefined) return best;
  }
  return bestInQueue(unit, board, { company: [], demand: unit.rules.resources });
}

function bestInQueue(
  unit: Placeable,
  board: Board,
  { company, demand }: { readonly company: readonly Placeable[]; readonly demand: Demand },
): BestSite | undefined {
  const queue = board.queue(likeness(unit, company), () => new SiteQueue(board, unit, company));
  return queue.best(unit, demand, (site) => refusalButForRoom(unit, site, board) !== undefined);
}

/** The same for units that judge machines alike, what is on the machines and how much they ask for left aside. */
function likeness({ template, rules }: Placeable, company: readonly Placeable[]): string {
  const { spreadOver, prefers, resources } = rules;
  const asks = [resources.memoryBytes + resources.memoryShare > 0, resources.cpus > 0];
  const ofCompany = company.map((unit) => kindOf(unit)).filter((kind) => kind !== noKind);
  return JSON.stringify([template, kindOf({ rules }), spreadOver, prefers, asks, ofCompany]);
}

const kindOf = ({ rules: { machine, metadata } }: Pick<Placeable, "rules">): string =>
  JSON.stringify([machine, ...metadata]);
const noKind = JSON.stringify([undefined]);

/** The only machines that come into question for a unit that must run beside others which are placed. */
function companySites(unit: Placeable, board: Board): readonly Site[] | undefined {
  const [leader] = leadersOf(unit);
  if (leader === undefined) return undefined;
  const machines = board.machinesOf(leader);
  const isPod = leader === unit.rules.pod;
  const ids = isPod && machines.length === 0 ? [...board.containersOf(leader).keys()] : machines;
  if (isPod && ids.length === 0) return undefined;
  return ids.flatMap((id) => board.site(id) ?? []);
}

function bestOf(sites: readonly Site[], unit: Placeable, board: Board): BestSite | undefined {
  const fitting = sites.filter((site) => refusal(unit, site, board) === undefined);
  const [best] = fitting.sort(
    (one, other) =>
      compareNumbers(inPlacesOf(unit, one, board), inPlacesOf(unit, other, board)) ||
      compareRanks(rankOf(unit, one, board), rankOf(unit, other, board)),
  );
  return best && { site: best, isOneOfFew: true };
}

/** Why the unit may not go there, the room for it included. */
export const refusal = (unit: Placeable, site: Site, board: Board): Rejection | undefined =>
  rejection(unit, site, board) ?? homeless(evictionsFrom(site, unit), site, board);

/** As `refusal`, as if there were room enough. */
export const refusalButForRoom = (unit: Placeable, site: Site, board: Board): Rejection | undefined =>
  rejectionButForRoom(unit, site, board) ?? homeless(evictionsFrom(site, unit), site, board);

function allRefusals(unit: Placeable, board: Board): Map<string, Rejection> {
  const refusals = new Map<string, Rejection>();
  for (const site of board.sites()) {
    const refused = refusal(unit, site, board);
    if (refused !== undefined) refusals.set(site.machine.id, refused);
  }
  return refusals;
}

/** Units on the site that give way to this one. */
export function evictionsFrom(site: Site, unit: Placeable): readonly Placeable[] {
  if (unit.rules.replaces.length === 0) return nobody;
  return [...site.units.values()].filter((other) => givesWay(other, unit));
}

const nobody: readonly Placeable[] = [];

/** A unit gives way only when it has somewhere else to go. */
export function homeless(evicts: readonly Placeable[], site: Site, board: Board): Rejection | undefined {
  for (const evicted of evicts) {
    let hasHome = false;
    for (const other of board.sites()) {
      if (other !== site && rejection(evicted, other, board) === undefined) hasHome = true;
      if (hasHome) break;
    }
    if (hasHome) continue;
    return {
      text: `has ${evicted.name}, which it replaces and which has nowhere else to go`,
      transient: false,
    };
  }
  return undefined;
}

function reasonFor(unit: Placeable, { site, isOneOfFew }: BestSite, board: Board): string {
  const { rules, template } = unit;
  if (rules.machine !== undefined) return `MachineID=${rules.machine}`;
  if (rules.machineOf.length > 0) return `beside ${rules.machineOf.join(", ")}`;
  if (rules.pod !== undefined && site.units.has(rules.pod)) return `with its pod ${rules.pod}`;
  const words = template === undefined ? [] : [siblingWords(unit, template, { site, board })];
  const { metadata } = site.machine;
  const preferred = rules.prefers.filter(({ key, value }) => metadata[key] === value);
  if (preferred.length > 0)
    words.push(`preferred for ${preferred.map(({ key, value }) => `${key}=${value}`).join(", ")}`);
  const asks = !asksForNothing(needOf(rules.resources, site.machine));
  const load = asks ? `most room (${freeOf(unit, site)} % free)` : `fewest units (${site.load})`;
  return [...words, `${load}${isOneOfFew ? " of the machines that fit" : ""}`].join(", ");
}

function siblingWords(
  { rules }: Placeable,
  template: string,
  { site, board }: { readonly site: Site; readonly board: Board },
): string {
  const place = placesOf(site.machine, rules.spreadOver).at(-1) ?? "here";
  const inPlace =
    place === "here" ? board.siblings(template, site.machine.id) : (board.inPlaces(template).get(place) ?? 0);
  const where = place === "here" ? place : `in ${place}`;
  if (inPlace === 0) return `no other of ${template} ${where}`;
  return place === "here"
    ? `fewest of ${template} (${inPlace})`
    : `fewest of ${template} ${where} (${inPlace})`;
}
