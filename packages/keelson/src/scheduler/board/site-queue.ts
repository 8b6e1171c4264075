// The machines for units that judge machines alike, the best one first: what makes placing thousands of units on
// thousands of machines cheap. While a pass only adds units, machines only get worse; so one whose rank is still
// what it was when it came to the top is the best. Machines that were relieved are judged anew.

import { isOfTheRightKind } from "../foretelling/machine-kind.ts";
import { Heap } from "./heap.ts";
import type { Placeable } from "../placeable.ts";
import { type Demand, fitsInto, freeOn, isAtLeast, largest, needOf, noDemand } from "./room.ts";
import { placesOf, type Site, type Sites } from "./site.ts";
import { compareRanks, rankOf, type SiteRank } from "./site-rank.ts";

interface Entry {
  readonly site: Site;
  rank: SiteRank;
  /** Another entry has taken its place. */
  isVoid: boolean;
}

/** The machines with the same values of the keys of SpreadOver=; all of them without. */
interface Place {
  /** From the widest to the narrowest. */
  readonly names: readonly string[];
  readonly heap: Heap<Entry>;
  /** Those on which there was no room; they are asked again when somebody needs less. */
  full: Entry[];
  /** What they were asked for, the most of each. */
  asked: Demand;
}

interface Query {
  readonly unit: Placeable;
  readonly demand: Demand;
  readonly refuses: (site: Site) => boolean;
  /** To be put back when the query is over. */
  readonly refused: { readonly place: Place; readonly entry: Entry }[];
}

export interface BestSite {
  readonly site: Site;
  /** Whether other machines were no choice. */
  readonly isOneOfFew: boolean;
}

export class SiteQueue {
  readonly #board: Sites;
  readonly #places = new Map<string, Place>();
  readonly #entries = new Map<string, Entry>();
  /** How many of the board's relieved sites were judged anew. */
  #seen: number;

  /**
   * @param alike any of the units that the queue is for
   * @param company units that will run beside it: machines must be of the right kind for them, too
   */
  constructor(board: Sites, alike: Placeable, company: readonly Placeable[]) {
    this.#board = board;
    this.#seen = board.relieved.length;
    for (const site of board.sites()) {
      if (
        site.closed === undefined &&
        isOfTheRightKind(alike, site) &&
        company.every((unit) => isOfTheRightKind(unit, site))
      )
        this.#add(alike, site);
    }
  }

  /** The best machine that has room for the demand and to which `refuses` does not object. */
  best(unit: Placeable, demand: Demand, refuses: (site: Site) => boolean): BestSite | undefined {
    this.#judgeAnew(unit);
    if (this.#entries.size === 0) return undefined;
    const query: Query = { unit, demand, refuses, refused: [] };
    const tried = new Set<Place>();
    let best: Entry | undefined;
    while (best === undefined && tried.size < this.#places.size) {
      for (const place of this.#emptiest(unit, tried)) {
        tried.add(place);
        const top = this.#top(place, query);
        if (top !== undefined && (best === undefined || compareRanks(top.rank, best.rank) < 0)) best = top;
      }
    }
    let isOneOfFew = this.#entries.size < this.#board.size || query.refused.length > 0;
    for (const { full } of tried) isOneOfFew ||= full.length > 0;
    for (const { place, entry } of query.refused) place.heap.push(entry);
    return best && { site: best.site, isOneOfFew };
  }

  #add(unit: Placeable, site: Site): void {
    const names = unit.template === undefined ? [] : placesOf(site.machine, unit.rules.spreadOver);
    const name = names.at(-1) ?? "";
    const place = this.#places.get(name) ?? { names, heap: new Heap(byRank), full: [], asked: noDemand };
    this.#places.set(name, place);
    const before = this.#entries.get(site.machine.id);
    if (before !== undefined) before.isVoid = true;
    const entry = { site, rank: rankOf(unit, site, this.#board), isVoid: false };
    this.#entries.set(site.machine.id, entry);
    place.heap.push(entry);
  }

  #judgeAnew(unit: Placeable): void {
    const { relieved } = this.#board;
    for (; this.#seen < relieved.length; this.#seen++) {
      const site = relieved[this.#seen];
      if (site !== undefined && this.#entries.has(site.machine.id)) this.#add(unit, site);
    }
  }

  /** The places with the fewest replicas, of those that were not tried. */
  #emptiest({ template }: Placeable, tried: ReadonlySet<Place>): readonly Place[] {
    if (this.#places.size === 1 || template === undefined) return [...this.#places.values()];
    const inPlaces = this.#board.inPlaces(template);
    let fewest: Place | undefined;
    let places: Place[] = [];
    for (const place of this.#places.values()) {
      if (tried.has(place)) continue;
      const order = fewest === undefined ? -1 : compareCounts(place, fewest, inPlaces);
      if (order > 0) continue;
      if (order < 0) places = [];
      if (order < 0) fewest = place;
      places.push(place);
    }
    return places;
  }

  /** The best machine of a place that takes the unit; it stays in the heap. */
  #top(place: Place, { unit, demand, refuses, refused }: Query): Entry | undefined {
    const { heap } = place;
    if (!isAtLeast(demand, place.asked)) reopen(place);
    for (let entry = heap.peek(); entry !== undefined; entry = heap.peek()) {
      const { site } = entry;
      if (entry.isVoid) {
        heap.pop();
      } else if (!this.#isCurrent(entry, unit)) {
        heap.sinkTop();
      } else if (!fitsInto(needOf(demand, site.machine), freeOn(site))) {
        heap.pop();
        place.full.push(entry);
        place.asked = largest(place.asked, demand);
      } else if (refuses(site)) {
        heap.pop();
        refused.push({ place, entry });
      } else {
        return entry;
      }
    }
    return undefined;
  }

  #isCurrent(entry: Entry, unit: Placeable): boolean {
    const rank = rankOf(unit, entry.site, this.#board);
    const isSame = compareRanks(rank, entry.rank) === 0;
    entry.rank = rank;
    return isSame;
  }
}

/** By how many replicas are in the widest of the places, then in the next. */
function compareCounts(one: Place, other: Place, inPlaces: ReadonlyMap<string, number>): number {
  for (let at = 0; at < one.names.length; at++) {
    const difference = (inPlaces.get(one.names[at] ?? "") ?? 0) - (inPlaces.get(other.names[at] ?? "") ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function reopen(place: Place): void {
  for (const entry of place.full) place.heap.push(entry);
  place.full = [];
  place.asked = noDemand;
}

const byRank = (one: Entry, other: Entry): number => compareRanks(one.rank, other.rank);
