// The first half of a pass: the orders that stand. What may stay goes on the board as it is; what is no longer
// wanted, or may not be where it is, is withdrawn.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { effectiveMachines } from "../model/machine-metadata.ts";
import { attemptOf } from "../model/job.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import { isSupporting } from "../model/unit-name.ts";
import { Board, type Site } from "./board/board.ts";
import { givesWay, lacksCompany, rejectionWithoutCompany } from "./fit.ts";
import { type Handover, handoversIn, verdictOn } from "./moving/handovers.ts";
import { avoiding } from "./moving/memory.ts";
import { orderFor } from "./order.ts";
import { hasWorkOn, leftover, type Placeable, placeableOn, unjudged } from "./placeable.ts";
import type { Scene } from "./schedule.ts";

/** An order of a machine that does not report, for a unit that may run elsewhere. */
export interface Stranded {
  readonly machine: string;
  readonly entry: ScheduleEntry;
}

/** An order that stands and stays. */
export interface Standing {
  readonly site: Site;
  readonly unit: Placeable;
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
  #standing: Standing[] = [];
  /** By unit, those that go on: two orders stand. */
  readonly handovers = new Map<string, Handover>();
  readonly #begun: ReadonlyMap<string, Handover>;
  readonly #lessons = new Map<string, Pick<ScheduleEntry, "avoids" | "failedHandover">>();
  readonly #kept = new Set<string>();

  constructor(scene: Scene) {
    this.#scene = scene;
    const { snapshot } = scene;
    this.board = new Board(
      effectiveMachines(snapshot),
      snapshot.settings.overcommit,
      closedMachines(snapshot),
    );
    this.#begun = handoversIn(scene.snapshot);
  }

  /** The orders that stay, as they are. */
  get standing(): readonly Standing[] {
    return this.#standing.filter(({ site, unit }) => site.units.get(unit.name) === unit);
  }

  judge(): void {
    const { snapshot } = this.#scene;
    this.#noteStopping();
    for (const [machine, entries] of snapshot.schedule) {
      const site = this.board.site(machine);
      if (site !== undefined) this.#judgeSite(site, [...entries.values()]);
    }
    for (const [name, handover] of this.#begun) this.#judgeHandover(name, handover);
    this.dismissTheLonely();
    for (const isNew of [false, true]) {
      for (const [machine, entries] of snapshot.schedule) {
        if (this.board.site(machine) !== undefined) continue;
        const some = [...entries.values()].filter((entry) => isNew === this.#isSuccessor(entry, machine));
        this.#judgeDeparted(machine, some);
      }
    }
  }

  /** Takes a standing order's unit off the board, to go elsewhere. Otherwise as `withdraw`. */
  release({ site, unit, entry }: Standing, because: string): boolean {
    this.board.take(site.machine.id, unit);
    this.#holders.delete(unit.name);
    this.#standing = this.#standing.filter((one) => one.entry !== entry);
    return this.withdraw(site, entry, because);
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
    const replacers: Placeable[] = [];
    let choosy = false;
    for (const { unit, companion } of entries) {
      const present = companion ? undefined : placeables.get(unit);
      if (present === undefined) continue;
      if (present.rules.replaces.length > 0) replacers.push(present);
      choosy ||= isChoosy(present);
    }
    if (choosy) entries.sort(bySeniority);
    for (const entry of entries) {
      if (entry.companion) continue;
      const wantedUnit = placeables.get(entry.unit);
      const unit = wantedUnit && placeableOn(wantedUnit, site.machine.id);
      if (unit !== undefined && this.#isSuccessor(entry, site.machine.id)) continue;
      if (unit === undefined) {
        const problem = problems.get(entry.unit);
        if (problem) this.board.put(site.machine.id, unjudged(problem.instance));
        else this.withdraw(site, entry, "it is not wanted any more");
        continue;
      }
      const why = this.#scene.gates.barring(unit) ?? this.#whyNotStay(unit, site, replacers);
      if (why !== undefined) {
        this.withdraw(site, entry, why);
        continue;
      }
      this.#stand({ site, unit, entry });
    }
  }

  /** Whether it is the new one of two orders. */
  #isSuccessor({ unit }: ScheduleEntry, machine: string): boolean {
    return this.#begun.get(unit)?.to === machine;
  }

  /** The old order has been judged like any other. */
  #judgeHandover(name: string, handover: Handover): void {
    const { snapshot, wanted, facts } = this.#scene;
    const { from, to, entry } = handover;
    const unit = wanted.placeables.get(name);
    const site = this.board.site(to);
    if (unit === undefined || site === undefined) return;
    const barred = this.#scene.gates.barring(unit);
    if (barred !== undefined) return void this.withdraw(site, entry, barred);
    const here = { site, unit, entry };
    const old = this.#standing.find((one) => one.unit === unit && one.site.machine.id === from);
    const rejection = rejectionWithoutCompany(unit, site, this.board);
    const refused = rejection && `${site.machine.name} ${rejection.text}`;
    if (old === undefined) {
      if (refused === undefined || unit.rules.global) this.#stand(here);
      else this.withdraw(site, entry, refused);
      return;
    }
    if (unit.rules.global) return this.#stand(here);
    if (refused !== undefined) return void this.withdraw(site, entry, refused);
    if (unit.instance.desired !== "launched") return void this.withdraw(site, entry, "it is not to run");
    const verdict = verdictOn(handover, unit.rules, { statuses: snapshot.statuses, wallMs: facts.wallMs });
    if (verdict.is === "failed") return this.#abandon(old, here, verdict.why);
    if (verdict.is === "ready") {
      this.release(old, `${site.machine.name} has taken it over`);
    } else {
      this.handovers.set(name, handover);
      this.againMs = Math.min(this.againMs ?? Infinity, facts.nowMs + verdict.until - facts.wallMs);
    }
    this.#stand(here);
  }

  #stand(standing: Standing): void {
    const { site, unit } = standing;
    this.board.put(site.machine.id, unit);
    if (!unit.rules.global) this.#holders.set(unit.name, site.machine.id);
    this.#standing.push(standing);
  }

  /** The handover came to nothing: the old order remembers it. */
  #abandon(old: Standing, { site, unit, entry }: Standing, why: string): void {
    const { wallMs } = this.#scene.facts;
    const to = site.machine;
    this.withdraw(site, entry, why);
    const known = old.entry.avoids?.[to.id] ?? 0;
    if (known > wallMs && old.entry.failedHandover?.to === to.id) return;
    const avoids = avoiding(unit.avoids, to.id, wallMs);
    const reason = `${to.name} was to take it over, and ${why}`;
    this.#lessons.set(unit.name, {
      avoids,
      failedHandover: { to: to.id, hash: entry.hash, reason, until: avoids[to.id] ?? wallMs },
    });
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
  dismissTheLonely(): void {
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
    const isHandedOver = (name: string): boolean =>
      this.#begun.get(name)?.from === machine && this.#holders.get(name) === this.#begun.get(name)?.to;
    for (const entry of entries) {
      if (entry.companion) continue;
      const unit = wanted.placeables.get(entry.unit);
      if (unit === undefined && wanted.problems.has(entry.unit)) continue;
      if (unit === undefined) {
        ledger.remove(machine, entry.unit, "it is not wanted any more");
      } else if (unit.rules.global) {
        if (departure?.removed) ledger.remove(machine, entry.unit, "the machine was removed");
      } else if (isHandedOver(unit.name) && departure?.waitsFor !== undefined) {
        // It may yet turn out to be there: then the handover goes on.
      } else if (this.#holders.has(unit.name) || this.stranded.has(unit.name)) {
        ledger.remove(machine, entry.unit, "another machine has it too");
      } else {
        this.stranded.set(unit.name, { machine, entry });
      }
    }
  }

  /** Its order is not brought up to date in this pass. */
  keepAsItIs(unit: string): void {
    this.#kept.add(unit);
  }

  /** Brings orders that stay up to date: new content, another desired state, a restart. */
  renew(): void {
    const { facts, ledger, snapshot } = this.#scene;
    for (const { site, unit, entry } of this.#standing) {
      const machine = site.machine.id;
      if (site.units.get(unit.name) !== unit) continue;
      const isBeingTakenOver = this.handovers.get(unit.name)?.from === machine;
      const isKept = this.#kept.has(unit.name) || isBeingTakenOver;
      const lesson = this.#lessons.get(unit.name);
      if (isKept && lesson === undefined) continue;
      const { hash } = unit;
      const { restarts } = unit.instance;
      const takesOver = unit.rules.global || isClear(entry, snapshot) ? undefined : entry.takesOver;
      const isCurrent =
        lesson === undefined &&
        entry.hash === hash &&
        entry.desired === unit.instance.desired &&
        entry.restarts === restarts &&
        entry.run === (unit.run && attemptOf(unit.run)) &&
        entry.onPartition === unit.rules.onPartition &&
        entry.takesOver === takesOver &&
        !isOutdated(entry, hash) &&
        holds(entry.avoids, unit.avoids);
      if (isCurrent || this.#isHeldBack({ site, unit, entry })) continue;
      const { because } = entry;
      const placed = takesOver === undefined || entry.hash === hash ? entry.placed : facts.wallMs;
      const failedHandover = entry.failedHandover?.hash === hash ? entry.failedHandover : undefined;
      const order = orderFor(unit, facts, {
        because,
        ...(takesOver === undefined ? {} : { takesOver }),
        ...(failedHandover === undefined ? {} : { failedHandover }),
      });
      const renewed = isOutdated(entry, hash) ? withoutLesson(order, entry.failedHandover) : order;
      ledger.put(
        machine,
        isKept ? { ...entry, ...lesson, fence: facts.fence } : { ...renewed, placed, ...lesson },
      );
    }
  }

  /** Whether what is stopped here is to start, and waits for what it depends on. */
  #isHeldBack({ site, unit, entry }: Standing): boolean {
    const { snapshot, gates, unplaced } = this.#scene;
    if (unit.instance.desired !== "launched") return false;
    const active = snapshot.statuses.get(site.machine.id)?.get(unit.name)?.active;
    const isStopped = active === undefined || active === "inactive" || active === "failed";
    if (entry.desired === "launched" && !isStopped) return false;
    const held = gates.hold(unit, { hasRun: false });
    if (held !== undefined) unplaced.set(unit.name, held);
    return held !== undefined;
  }
}

/** Whether the handover that came to nothing was to another file than the unit is to have now. */
const isOutdated = ({ failedHandover }: ScheduleEntry, hash: string): boolean =>
  failedHandover !== undefined && failedHandover.hash !== hash;

/** The order without what that handover taught: it was the file that failed, not the machine. */
function withoutLesson(order: ScheduleEntry, lesson: ScheduleEntry["failedHandover"]): ScheduleEntry {
  const { avoids, ...rest } = order;
  const others = Object.entries(avoids ?? {}).filter(
    ([to, until]) => to !== lesson?.to || until !== lesson.until,
  );
  return others.length === 0 ? rest : { ...rest, avoids: Object.fromEntries(others) };
}

/** Whether the machine that it takes over from has neither an order nor the unit any more. */
function isClear({ unit, takesOver }: ScheduleEntry, { schedule, statuses }: ClusterSnapshot): boolean {
  if (takesOver === undefined) return true;
  const old = schedule.get(takesOver)?.get(unit);
  return (old === undefined || old.companion) && statuses.get(takesOver)?.has(unit) !== true;
}

/** Whether the order knows all that is to be avoided. */
const holds = (known: ScheduleEntry["avoids"], all: ScheduleEntry["avoids"]): boolean =>
  Object.entries(all ?? {}).every(([machine, until]) => known?.[machine] === until);

/** By machine id, why it takes no new units. */
function closedMachines({ machineSettings }: ClusterSnapshot): Map<string, string> {
  const closed = new Map<string, string>();
  for (const [machine, { cordoned, drain }] of machineSettings) {
    if (drain !== undefined) closed.set(machine, "is being drained");
    else if (cordoned) closed.set(machine, "is cordoned");
  }
  return closed;
}

const isChoosy = ({ rules, ports }: Placeable): boolean =>
  rules.conflicts.length > 0 || rules.replaces.length > 0 || ports.length > 0;

/** Who was here first stays. */
const bySeniority = (a: ScheduleEntry, b: ScheduleEntry): number =>
  a.placed - b.placed || (a.unit < b.unit ? -1 : 1);
