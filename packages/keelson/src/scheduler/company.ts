// Units that must run beside others: who follows whom, and in which order they are placed.
import type { Placeable } from "./placeable.ts";

/** The units that this one waits for before it can be placed. */
export function leadersOf({ name, rules }: Placeable): readonly string[] {
  const peers = rules.pod === undefined ? rules.machineOf : [...rules.machineOf, rules.pod];
  return peers.includes(name) ? peers.filter((peer) => peer !== name) : peers;
}

/** By unit, all that must run beside it, those included that follow its followers. */
export function followersOf(units: ReadonlyMap<string, Placeable>): Map<string, Placeable[]> {
  const direct = new Map<string, Placeable[]>();
  for (const unit of units.values()) {
    if (unit.rules.global) continue;
    for (const leader of leadersOf(unit)) {
      const known = direct.get(leader);
      if (known === undefined) direct.set(leader, [unit]);
      else known.push(unit);
    }
  }
  const all = new Map<string, Placeable[]>();
  for (const leader of direct.keys()) {
    const found = new Set<Placeable>();
    const open = [...(direct.get(leader) ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (found.has(next) || next.name === leader) continue;
      found.add(next);
      open.push(...(direct.get(next.name) ?? []));
    }
    all.set(leader, [...found]);
  }
  return all;
}

/** The open units, each after those of them that it must run beside. The order is kept otherwise. */
export function* byDependence(
  open: readonly Placeable[],
  units: ReadonlyMap<string, Placeable>,
): Generator<Placeable, undefined> {
  const isOpen = new Set(open);
  const visited = new Set<Placeable>();
  for (const start of open) {
    const path = [start];
    while (path.length > 0) {
      const unit = path.at(-1);
      if (unit === undefined) break;
      visited.add(unit);
      const before = leadersOf(unit)
        .map((name) => units.get(name))
        .find((leader) => leader !== undefined && isOpen.has(leader) && !visited.has(leader));
      if (before !== undefined) {
        path.push(before);
        continue;
      }
      path.pop();
      if (isOpen.delete(unit)) yield unit;
    }
  }
}
