// The machines that report, and what is on each while a pass goes on: what has been judged to stay, and what
// has been placed. Only a pass changes it.
import type { Machine } from "../../model/machine.ts";
import type { ClusterSettings } from "../../model/machine-settings.ts";
import { type Amounts, asksForNothing, minus, needOf, nothing, plus, roomOf } from "./room.ts";
import type { Leftover, Placeable, PortClaim } from "../placeable.ts";
import { placesOf, type Site, type Sites } from "./site.ts";
import type { SiteQueue } from "./site-queue.ts";

export type { Site } from "./site.ts";

interface MutableSite extends Site {
  readonly units: Map<string, Placeable>;
  readonly repelling: Map<string, Placeable>;
  ports: PortClaim[];
  readonly stopping: Map<string, Leftover | undefined>;
  load: number;
  revision: number;
  taken: Amounts;
  leaving: Amounts;
  closed: string | undefined;
  /** What each that is still to stop takes, unless it is among the units. */
  readonly leavers: Map<string, Amounts>;
  /** Room that is kept for units, by name. */
  readonly kept: Map<string, Amounts>;
  /** Its own id, for all that are nowhere else. */
  readonly alone: readonly string[];
}

export class Board implements Sites {
  readonly #sites = new Map<string, MutableSite>();
  readonly #perTemplate = new Map<string, Map<string, number>>();
  readonly #perPlace = new Map<string, Map<string, number>>();
  readonly #perPod = new Map<string, Map<string, number>>();
  /** Sites from which something was taken, in the order of its happening: they suit others better than before. */
  readonly relieved: Site[] = [];
  readonly #queues = new Map<string, SiteQueue>();
  readonly #beingRelieved = new Set<Site>();
  readonly #where = new Map<string, readonly string[]>();

  /** @param closed by machine id, why it takes no new units */
  constructor(
    machines: Iterable<Machine>,
    overcommit: ClusterSettings["overcommit"],
    closed: ReadonlyMap<string, string> = new Map(),
  ) {
    const sorted = [...machines].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const [order, machine] of sorted.entries()) {
      this.#sites.set(machine.id, {
        machine,
        order,
        units: new Map(),
        repelling: new Map(),
        ports: [],
        stopping: new Map(),
        load: 0,
        revision: 0,
        room: roomOf(machine, overcommit),
        taken: nothing,
        leaving: nothing,
        leavers: new Map(),
        kept: new Map(),
        alone: [machine.id],
        closed: closed.get(machine.id),
      });
    }
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

  /** How many instances of the template are on the machine. */
  siblings(template: string, machine: string): number {
    return this.#perTemplate.get(template)?.get(machine) ?? 0;
  }

  inPlaces(template: string): ReadonlyMap<string, number> {
    return this.#perPlace.get(template) ?? nowhere;
  }

  /** The machines for units that judge them alike, by a name for what they have in common. */
  queue(name: string, make: () => SiteQueue): SiteQueue {
    const queue = this.#queues.get(name) ?? make();
    this.#queues.set(name, queue);
    return queue;
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
    const elsewhere = this.machinesOf(unit.name);
    this.#where.set(unit.name, elsewhere.length > 0 ? [...elsewhere, machine] : site.alone);
    site.taken = plus(site.taken, needOf(unit.rules.resources, site.machine));
    this.#noteLeaver(site, unit.name, nothing);
    const { rules, ports } = unit;
    if (rules.conflicts.length > 0 || rules.replaces.length > 0) site.repelling.set(unit.name, unit);
    site.ports.push(...ports);
    this.#countSibling(unit, site, 1);
    if (rules.pod !== undefined) count(this.#perPod, [rules.pod, machine], 1);
    site.load += unit.weight;
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
    this.#countSibling(unit, site, -1);
    if (unit.rules.pod !== undefined) count(this.#perPod, [unit.rules.pod, machine], -1);
    site.load -= unit.weight;
    this.relieved.push(site);
  }

  /** Closes the machine to all newcomers until this is disposed. */
  close(machine: string, why: string): Disposable {
    const site = this.#mutable(machine);
    const before = site.closed;
    site.closed = why;
    return {
      [Symbol.dispose]: () => {
        site.closed = before;
        this.relieved.push(site);
      },
    };
  }

  noteStopping(machine: string, name: string, unit: Leftover | undefined): void {
    const site = this.#mutable(machine);
    site.stopping.set(name, unit);
    if (unit === undefined || site.units.has(name)) return;
    this.#noteLeaver(site, name, needOf(unit.rules.resources, site.machine));
  }

  /** What the unit itself takes there without being there: it has yet to stop, or room is kept for it. */
  ownShare(machine: string, name: string): { readonly leaving: Amounts; readonly kept: Amounts } {
    const site = this.#sites.get(machine);
    return { leaving: site?.leavers.get(name) ?? nothing, kept: site?.kept.get(name) ?? nothing };
  }

  /** Keeps room for a unit that will come when others have stopped. */
  keep(machine: string, unit: Placeable): void {
    const site = this.#mutable(machine);
    const need = needOf(unit.rules.resources, site.machine);
    site.kept.set(unit.name, need);
    site.taken = plus(site.taken, need);
  }

  /** Those on which something has yet to stop that takes memory or processors. */
  *beingRelieved(): Generator<Site, undefined> {
    for (const site of this.#beingRelieved) yield site;
  }

  #countSibling({ template, rules }: Placeable, { machine }: Site, change: 1 | -1): void {
    if (template === undefined) return;
    count(this.#perTemplate, [template, machine.id], change);
    for (const place of placesOf(machine, rules.spreadOver)) count(this.#perPlace, [template, place], change);
  }

  #noteLeaver(site: MutableSite, name: string, need: Amounts): void {
    const before = site.leavers.get(name) ?? nothing;
    if (before === need) return;
    site.leavers.set(name, need);
    site.leaving = plus(minus(site.leaving, before), need);
    if (!asksForNothing(need)) this.#beingRelieved.add(site);
    site.taken = plus(minus(site.taken, before), need);
  }

  /** For a change. */
  #mutable(machine: string): MutableSite {
    const site = this.#sites.get(machine);
    if (site === undefined) throw new Error(`${machine} is not on the board`);
    site.revision += 1;
    return site;
  }
}

const nowhere: ReadonlyMap<string, number> = new Map();

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
