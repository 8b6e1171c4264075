// The machines that report, and what is on each while a pass goes on: what has been judged to stay, and what
// has been placed. Only a pass changes it.
import type { Machine } from "../model/machine.ts";
import type { ClusterSettings } from "../model/machine-settings.ts";
import { type Amounts, minus, needOf, nothing, plus, roomOf } from "./room.ts";
import type { Leftover, Placeable, PortClaim } from "./placeable.ts";

export interface Site {
  readonly machine: Machine;
  readonly units: ReadonlyMap<string, Placeable>;
  /** Units on the site that keep others away. */
  readonly repelling: ReadonlyMap<string, Placeable>;
  readonly ports: readonly PortClaim[];
  /** Instances that are still to stop here, without an order; with what they were as far as it is known. */
  readonly stopping: ReadonlyMap<string, Leftover | undefined>;
  readonly load: number;
  /** What requests may take here in all. */
  readonly room: Amounts;
  /** What they take: of the units that are here, of those that are still to stop, and of room that is kept. */
  readonly taken: Amounts;
  /** The part of `taken` that goes away by itself, when what has to stop has stopped. */
  readonly leaving: Amounts;
  /** Why it takes no new units, in words that follow its name; `undefined` when it does. */
  readonly closed: string | undefined;
}

interface MutableSite extends Site {
  readonly units: Map<string, Placeable>;
  readonly repelling: Map<string, Placeable>;
  ports: PortClaim[];
  readonly stopping: Map<string, Leftover | undefined>;
  load: number;
  taken: Amounts;
  leaving: Amounts;
  /** What each that is still to stop takes, unless it is among the units. */
  readonly leavers: Map<string, Amounts>;
}

export class Board {
  readonly #sites = new Map<string, MutableSite>();
  /** By load, sites in the order of their machine ids. */
  readonly #byLoad: MutableSite[][] = [];
  readonly #perTemplate = new Map<string, Map<string, number>>();
  readonly #perPod = new Map<string, Map<string, number>>();
  readonly #where = new Map<string, string[]>();

  /** @param closed by machine id, why it takes no new units */
  constructor(
    machines: Iterable<Machine>,
    overcommit: ClusterSettings["overcommit"],
    closed: ReadonlyMap<string, string> = new Map(),
  ) {
    const sorted = [...machines].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const machine of sorted) {
      this.#sites.set(machine.id, {
        machine,
        units: new Map(),
        repelling: new Map(),
        ports: [],
        stopping: new Map(),
        load: 0,
        room: roomOf(machine, overcommit),
        taken: nothing,
        leaving: nothing,
        leavers: new Map(),
        closed: closed.get(machine.id),
      });
    }
    this.#byLoad[0] = [...this.#sites.values()];
  }

  get size(): number {
    return this.#sites.size;
  }

  site(machine: string): Site | undefined {
    return this.#sites.get(machine);
  }

  /** In the order of machine ids. */
  sites(): Iterable<Site> {
    return this.#sites.values();
  }

  /** Fewest units first, then the lowest machine id. The board must not change meanwhile. */
  *byLoad(): Generator<Site, undefined> {
    for (const bucket of this.#byLoad) if (bucket !== undefined) yield* bucket;
  }

  /** How many instances of the template are on the machine. */
  siblings(template: string, machine: string): number {
    return this.#perTemplate.get(template)?.get(machine) ?? 0;
  }

  /** The least number of instances of the template on any machine. */
  fewestSiblings(template: string): number {
    const counts = this.#perTemplate.get(template);
    if (counts === undefined || counts.size < this.#sites.size) return 0;
    let fewest = Infinity;
    for (const count of counts.values()) fewest = Math.min(fewest, count);
    return fewest;
  }

  /** The machines that a unit is on: one, or several for a global one. */
  machinesOf(unit: string): readonly string[] {
    return this.#where.get(unit) ?? [];
  }

  /** How many containers of the pod are on each machine that has some. */
  containersOf(pod: string): ReadonlyMap<string, number> {
    return this.#perPod.get(pod) ?? new Map<string, number>();
  }

  put(machine: string, unit: Placeable): void {
    const site = this.#mutable(machine);
    site.units.set(unit.name, unit);
    this.#where.set(unit.name, [...this.machinesOf(unit.name), machine]);
    site.taken = plus(site.taken, needOf(unit.rules.resources, site.machine));
    this.#noteLeaver(site, unit.name, nothing);
    const { rules, ports, template } = unit;
    if (rules.conflicts.length > 0 || rules.replaces.length > 0) site.repelling.set(unit.name, unit);
    site.ports.push(...ports);
    if (template !== undefined) count(this.#perTemplate, [template, machine], 1);
    if (rules.pod !== undefined) count(this.#perPod, [rules.pod, machine], 1);
    this.#weigh(site, unit.weight);
  }

  take(machine: string, unit: Placeable): void {
    const site = this.#mutable(machine);
    if (!site.units.delete(unit.name)) return;
    this.#where.set(
      unit.name,
      this.machinesOf(unit.name).filter((id) => id !== machine),
    );
    const need = needOf(unit.rules.resources, site.machine);
    site.taken = minus(site.taken, need);
    if (site.stopping.has(unit.name)) this.#noteLeaver(site, unit.name, need);
    site.repelling.delete(unit.name);
    for (const claim of unit.ports) site.ports.splice(site.ports.indexOf(claim), 1);
    if (unit.template !== undefined) count(this.#perTemplate, [unit.template, machine], -1);
    if (unit.rules.pod !== undefined) count(this.#perPod, [unit.rules.pod, machine], -1);
    this.#weigh(site, -unit.weight);
  }

  noteStopping(machine: string, name: string, unit: Leftover | undefined): void {
    const site = this.#mutable(machine);
    site.stopping.set(name, unit);
    if (unit === undefined || site.units.has(name)) return;
    this.#noteLeaver(site, name, needOf(unit.rules.resources, site.machine));
  }

  /** What is still to stop there of the unit, in memory and processors. */
  leaver(machine: string, name: string): Amounts {
    return this.#sites.get(machine)?.leavers.get(name) ?? nothing;
  }

  /** Keeps room for a unit that will come when others have stopped. */
  keep(machine: string, unit: Placeable): void {
    const site = this.#mutable(machine);
    site.taken = plus(site.taken, needOf(unit.rules.resources, site.machine));
  }

  #noteLeaver(site: MutableSite, name: string, need: Amounts): void {
    const before = site.leavers.get(name) ?? nothing;
    if (before === need) return;
    site.leavers.set(name, need);
    site.leaving = plus(minus(site.leaving, before), need);
    site.taken = plus(minus(site.taken, before), need);
  }

  #weigh(site: MutableSite, weight: number): void {
    if (weight === 0) return;
    const from = this.#byLoad[site.load] ?? [];
    from.splice(position(from, site.machine.id), 1);
    site.load += weight;
    const to = (this.#byLoad[site.load] ??= []);
    to.splice(position(to, site.machine.id), 0, site);
  }

  #mutable(machine: string): MutableSite {
    const site = this.#sites.get(machine);
    if (site === undefined) throw new Error(`${machine} is not on the board`);
    return site;
  }
}

function position(sites: readonly Site[], id: string): number {
  let low = 0;
  let high = sites.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sites[middle]?.machine.id ?? "") < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

function count(
  counts: Map<string, Map<string, number>>,
  [outer, inner]: readonly [string, string],
  change: number,
): void {
  const inside = counts.get(outer) ?? new Map<string, number>();
  const next = (inside.get(inner) ?? 0) + change;
  if (next === 0) inside.delete(inner);
  else inside.set(inner, next);
  counts.set(outer, inside);
}
