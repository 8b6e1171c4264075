// Which of two machines that both fit a unit suits it better. In this order: fewer replicas of its template in the
// places of SpreadOver=, one key after the other; fewer replicas on the machine; more of Prefer=, the first one
// before the next; for a unit that asks for memory or processors the larger share of them free, in whole percent;
// fewer units; the lower machine id.

import type { Placeable } from "../placeable.ts";
import { freeOn, needOf, shareLeft } from "./room.ts";
import { placesOf, type Site, type Sites } from "./site.ts";

/** Among machines in the same places. */
export interface SiteRank {
  readonly siblings: number;
  /** 0 where all of Prefer= holds. */
  readonly disfavour: number;
  /** Percent; 0 for a unit that asks for nothing. */
  readonly free: number;
  readonly load: number;
  readonly order: number;
}

export function rankOf(unit: Placeable, site: Site, board: Sites): SiteRank {
  const { template } = unit;
  return {
    siblings: template === undefined ? 0 : board.siblings(template, site.machine.id),
    disfavour: disfavourOf(unit, site),
    free: freeOf(unit, site),
    load: site.load,
    order: site.order,
  };
}

/** Below zero when `one` suits better. */
export const compareRanks = (one: SiteRank, other: SiteRank): number =>
  one.siblings - other.siblings ||
  one.disfavour - other.disfavour ||
  other.free - one.free ||
  one.load - other.load ||
  one.order - other.order;

/** How many replicas of the unit's template each of the site's places has. */
export function inPlacesOf({ template, rules }: Placeable, site: Site, board: Sites): number[] {
  if (template === undefined) return [];
  const counts = board.inPlaces(template);
  return placesOf(site.machine, rules.spreadOver).map((place) => counts.get(place) ?? 0);
}

/** The first difference decides. */
export function compareNumbers(one: readonly number[], other: readonly number[]): number {
  for (let at = 0; at < one.length; at++) {
    const difference = (one[at] ?? 0) - (other[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The first preference weighs more than all that follow it together. */
function disfavourOf({ rules: { prefers } }: Placeable, { machine }: Site): number {
  let disfavour = 0;
  for (const { key, value } of prefers) {
    const holds = Object.hasOwn(machine.metadata, key) && machine.metadata[key] === value;
    disfavour = 2 * disfavour + (holds ? 0 : 1);
  }
  return disfavour;
}

/** The smaller of the shares that are free of what the unit asks for, in whole percent. */
export const freeOf = ({ rules }: Placeable, site: Site): number =>
  Math.floor(shareLeft(needOf(rules.resources, site.machine), freeOn(site), site.room) * 100);
