// The first half of a pass: the orders that stand. What may stay goes on the board as it is; what is no longer
// wanted, or may not be where it is, is withdrawn.
import { effectiveMachines } from "../model/machine-metadata.ts";
import { attemptOf } from "../model/job.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import { isSupporting } from "../model/unit-name.ts";
import { Board, type Site } from "./board.ts";
import { givesWay, lacksCompany, rejectionWithoutCompany } from "./fit.ts";
import { orderFor } from "./order.ts";
import { hasWorkOn, leftover, type Placeable, placeableOn, unjudged } from "./placeable.ts";
import type { Scene } from "./schedule.ts";

/** An order of a machine that does not report, for a unit that may run elsewhere. */
export interface Stranded {
  readonly machine: string;
  readonly entry: ScheduleEntry;
}

export class Incumbents {
  readonly board: Board;
  /** Units whose order stands on a machine that does not report, by name. */
  readonly stranded = new Map<string, Stranded>();
  /** Units that a machine has yet to stop, by name, before another may have them: the machines. */
  readonly stopping = new Map<string, string[]>();
  againMs: number | undefined;
  readonly #scene: Scene;
  /** Machine of each unit that is not global and has an order that stands. */
  readonly #holders = new Map<string, string>();
  readonly #standing: { readonly site: Site; readonly unit: Placeable; readonly entry: ScheduleEntry }[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
    this.board = new Board(effectiveMachines(scene.snapshot), scene.snapshot.settings.overcommit);
  }

  judge(): void {
    const { snapshot } = this.#scene;
    this.#noteStopping();
    for (const [machine, entries] of snapshot.schedule) {
      const site = this.board.site(machine);
      if (site !== undefined) this.#judgeSite(site, [...entries.values()]);
    }
    this.#dismissTheLonely();
    for (const [machine, entries] of snapshot.schedule) {
      if (this.board.site(machine) === undefined) this.#judgeDeparted(machine, [...entries.values()]);
    }
    this.#renew();
  }

  /**
   * Takes an order from a machine that reports. It must answer it first; `false` while it has not. Before its
   * answer nothing is known: the unit may be starting this very moment, and no other machine may have it.
   */
  withdraw(site: Site, entry: ScheduleEntry, because: string): boolean {
    const { snapshot, wanted, facts, ledger } = this.#scene;
    const { unit, hash, placed } = entry;
    const machine = site.machine.id;
    const isAnswered = snapshot.statuses.get(machine)?.has(unit) ?? false;
    if (isAnswered) this.#mustStop(machine, unit, hash);
    if (isAnswered || isSupporting(unit)) {
      ledger.remove(machine, unit, because);
      return true;
    }
    const isWanted = wanted.placeables.has(unit) || wanted.problems.has(unit);
    const patienceMs = isWanted ? Infinity : placed + 2 * facts.leaseMs - facts.wallMs;
    if (patienceMs <= 0) {
      ledger.remove(machine, unit, `${because}; ${site.machine.name} has not answered`);
      return true;
    }
    this.#mustStop(machine, unit, hash);
    if (!isWanted) this.againMs = Math.min(this.againMs ?? Infinity, facts.nowMs + patienceMs);
    return false;
  }

  #noteStopping(): void {
    const { snapshot } = this.#scene;
    for (const [machine, statuses] of snapshot.statuses) {
      if (this.board.site(machine) === undefined) continue;
      const entries = snapshot.schedule.get(machine);
      for (const { unit, hash } of statuses.values()) {
        if (!entries?.has(unit)) this.#mustStop(machine, unit, hash);
      }
    }
  }

  #mustStop(machine: string, unit: string, hash: string): void {
    if (isSupporting(unit)) return;
    const known = this.stopping.get(unit);
    if (known === undefined) this.stopping.set(unit, [machine]);
    else known.push(machine);
    this.board.noteStopping(machine, unit, leftover(unit, hash, this.#scene));
  }

  #judgeSite(site: Site, entries: ScheduleEntry[]): void {
    const { wanted } = this.#scene;
    const { placeables, problems } = wanted;
    const present = entries.flatMap(({ unit, companion }) => (companion ? [] : (placeables.get(unit) ?? [])));
    const replacers = present.filter(({ rules }) => rules.replaces.length > 0);
    if (present.some(isChoosy)) entries.sort(bySeniority);
    for (const entry of entries) {
      if (entry.companion) continue;
      const wantedUnit = placeables.get(entry.unit);
      const unit = wantedUnit && placeableOn(wantedUnit, site.machine.id);
      if (unit === undefined) {
        const problem = problems.get(entry.unit);
        if (problem) this.board.put(site.machine.id, unjudged(problem.instance));
        else this.withdraw(site, entry, "it is not wanted any more");
        continue;
      }
      const why = this.#whyNotStay(unit, site, replacers);
      if (why !== undefined) {
        this.withdraw(site, entry, why);
        continue;
      }
      this.board.put(site.machine.id, unit);
      if (!unit.rules.global) this.#holders.set(unit.name, site.machine.id);
      this.#standing.push({ site, unit, entry });
    }
  }

  #whyNotStay(unit: Placeable, site: Site, replacers: readonly Placeable[]): string | undefined {
    const holder = unit.rules.global ? undefined : this.#holders.get(unit.name);
    if (holder !== undefined) return "another machine has it too";
    if (!hasWorkOn(unit, site.machine.id)) return "its run here is over";
    const replacer = replacers.find((other) => givesWay(unit, other));
    if (replacer !== undefined) return `it gives way to ${replacer.name}`;
    const rejection = rejectionWithoutCompany(unit, site, this.board);
    return rejection && `${site.machine.name} ${rejection.text}`;
  }

  /** Withdraws what must run beside units that are not beside it any more, until nothing changes. */
  #dismissTheLonely(): void {
    let dependants = this.#standing.filter(({ unit: { rules } }) => rules.machineOf.length > 0 || rules.pod);
    for (let changed = true; changed;) {
      const before = dependants.length;
      dependants = dependants.filter(({ site, unit, entry }) => {
        const why = lacksCompany(unit, site, this.board);
        if (why === undefined) return true;
        this.board.take(site.machine.id, unit);
        this.#holders.delete(unit.name);
        this.withdraw(site, entry, `${site.machine.name} ${why.text}`);
        return false;
      });
      changed = dependants.length < before;
    }
  }

  #judgeDeparted(machine: string, entries: readonly ScheduleEntry[]): void {
    const { wanted, departures, ledger } = this.#scene;
    const departure = departures.machines.get(machine);
    for (const entry of entries) {
      if (entry.companion) continue;
      const unit = wanted.placeables.get(entry.unit);
      if (unit === undefined && wanted.problems.has(entry.unit)) continue;
      if (unit === undefined) {
        ledger.remove(machine, entry.unit, "it is not wanted any more");
      } else if (unit.rules.global) {
        if (departure?.removed) ledger.remove(machine, entry.unit, "the machine was removed");
      } else if (this.#holders.has(unit.name) || this.stranded.has(unit.name)) {
        ledger.remove(machine, entry.unit, "another machine has it too");
      } else {
        this.stranded.set(unit.name, { machine, entry });
      }
    }
  }

  /** Brings orders that stay up to date: new content, another desired state, a restart. */
  #renew(): void {
    const { facts, ledger } = this.#scene;
    for (const { site, unit, entry } of this.#standing) {
      const machine = site.machine.id;
      if (site.units.get(unit.name) !== unit) continue;
      const { hash } = unit;
      const { desired } = unit.instance;
      const { restarts } = unit.instance.unit;
      const isCurrent =
        entry.hash === hash &&
        entry.desired === desired &&
        entry.restarts === restarts &&
        entry.run === (unit.run && attemptOf(unit.run)) &&
        entry.onPartition === unit.rules.onPartition;
      if (isCurrent) continue;
      const { placed, because } = entry;
      ledger.put(machine, { ...orderFor(unit, facts, because), placed });
    }
  }
}

const isChoosy = ({ rules, ports }: Placeable): boolean =>
  rules.conflicts.length > 0 || rules.replaces.length > 0 || ports.length > 0;

/** Who was here first stays. */
const bySeniority = (a: ScheduleEntry, b: ScheduleEntry): number =>
  a.placed - b.placed || (a.unit < b.unit ? -1 : 1);
