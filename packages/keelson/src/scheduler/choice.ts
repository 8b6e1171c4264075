// Which machine a unit goes to: the ones without a replica of the same template first, then the one with the
// fewest units, then the lowest machine id.
import type { Board, Site } from "./board.ts";
import { givesWay, type Rejection, rejection, rejectionByMachine } from "./fit.ts";
import type { Placeable } from "./placeable.ts";

export type Choice =
  | { readonly site: Site; readonly because: string; readonly evicts: readonly Placeable[] }
  | { readonly rejections: ReadonlyMap<string, Rejection> };

/**
 * @param followers units that will have to run beside this one: machines that suit them go first
 */
export function choose(unit: Placeable, board: Board, followers: readonly Placeable[]): Choice {
  const suits = (site: Site): boolean =>
    followers.every((follower) => rejectionByMachine(follower, site, board) === undefined);
  const rejections = new Map<string, Rejection>();
  const fewest = unit.template === undefined ? 0 : board.fewestSiblings(unit.template);
  let best: Extract<Choice, { site: Site }> | undefined;
  let bestRank: readonly [number, number] = [Infinity, Infinity];
  for (const site of board.byLoad()) {
    const siblings = unit.template === undefined ? 0 : board.siblings(unit.template, site.machine.id);
    const rank = [followers.length === 0 || suits(site) ? 0 : 1, siblings] as const;
    if (best !== undefined && !isLess(rank, bestRank)) continue;
    const evicts = evictionsFrom(site, unit);
    const refused = rejection(unit, site, board) ?? homeless(evicts, site, board);
    if (refused !== undefined) {
      rejections.set(site.machine.id, refused);
      continue;
    }
    best = { site, evicts, because: reasonFor(unit, site, { siblings, fits: rejections.size > 0 }) };
    bestRank = rank;
    if (rank[0] === 0 && siblings <= fewest) break;
  }
  return best ?? { rejections };
}

const isLess = (one: readonly [number, number], other: readonly [number, number]): boolean =>
  one[0] < other[0] || (one[0] === other[0] && one[1] < other[1]);

/** Units on the site that give way to this one. */
export function evictionsFrom(site: Site, unit: Placeable): Placeable[] {
  if (unit.rules.replaces.length === 0) return [];
  return [...site.units.values()].filter((other) => givesWay(other, unit));
}

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

function reasonFor(
  { rules, template }: Placeable,
  site: Site,
  { siblings, fits }: { readonly siblings: number; readonly fits: boolean },
): string {
  if (rules.machine !== undefined) return `MachineID=${rules.machine}`;
  if (rules.machineOf.length > 0) return `beside ${rules.machineOf.join(", ")}`;
  if (rules.pod !== undefined && site.units.has(rules.pod)) return `with its pod ${rules.pod}`;
  const load = `fewest units (${site.load})${fits ? " of the machines that fit" : ""}`;
  if (template === undefined) return load;
  return siblings === 0
    ? `no other of ${template} here, ${load}`
    : `fewest of ${template} (${siblings}), ${load}`;
}
