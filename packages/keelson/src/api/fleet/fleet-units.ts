// The cluster as fleet would see it: every unit, template and replica under a name of its own, with one target
// machine and fleet's three states. Made once for each snapshot.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import { instancesOf } from "../../model/instances.ts";
import { jobName, timerStopped } from "../../model/job.ts";
import type { Job, TimerRecord } from "../../model/job.ts";
import type { PlacementSource } from "../../model/placement/cache.ts";
import type { ScheduleEntry, UnitStatus } from "../../model/schedule.ts";
import type { DesiredState, Unit } from "../../model/unit.ts";
import { isTemplate } from "../../model/unit-name.ts";
import { currentState, endOfJob } from "./current-state.ts";

/** A unit as fleet lists it. */
export interface FleetUnit {
  readonly name: string;
  /** The record that it comes from: its own, or its template's. */
  readonly record: Unit;
  readonly kind: "plain" | "global" | "template";
  readonly desired: DesiredState;
}

/** An instance on a machine: the leader's order, the machine's answer, or both. */
export interface Place {
  readonly machine: string;
  readonly entry: ScheduleEntry | undefined;
  readonly status: UnitStatus | undefined;
}

/** What a machine reports of a unit. */
export interface FleetState {
  readonly name: string;
  readonly machine: string;
  /** Our hash of the file that the machine has; of the one that it shall have while it does not say. */
  readonly hash: string;
  readonly load: string;
  readonly active: string;
  readonly sub: string;
}

export class FleetUnits {
  readonly snapshot: ClusterSnapshot;
  readonly #placements: PlacementSource;
  #units: readonly FleetUnit[] | undefined;
  #places: ReadonlyMap<string, readonly Place[]> | undefined;
  #states: readonly FleetState[] | undefined;

  constructor(snapshot: ClusterSnapshot, placements: PlacementSource) {
    this.snapshot = snapshot;
    this.#placements = placements;
  }

  /** All units, in the order of their names. */
  all(): readonly FleetUnit[] {
    this.#units ??= [...this.snapshot.units.values()]
      .flatMap((record) => this.#unitsOf(record))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#units;
  }

  find(name: string): FleetUnit | undefined {
    const record = this.snapshot.units.get(name);
    if (record !== undefined) return this.#unit(name, record);
    const template = this.snapshot.units.get(`${name.slice(0, name.indexOf("@") + 1)}${suffixOf(name)}`);
    const isReplica =
      template !== undefined && instancesOf(template, this.snapshot.units).some((it) => it.name === name);
    return isReplica ? this.#unit(name, template) : undefined;
  }

  /** The machine that the unit is on or goes to; undefined for one that is nowhere, or everywhere. */
  targetOf(unit: FleetUnit): string | undefined {
    if (unit.kind !== "plain") return undefined;
    if (this.#timerOf(unit) !== undefined) return this.snapshot.leader;
    return this.#placeOf(unit)?.machine ?? endOfJob(this.#jobOf(unit))?.machine;
  }

  /** fleet's current state. Of templates and global units it is always inactive, as it was there. */
  currentOf(unit: FleetUnit): DesiredState {
    if (unit.kind !== "plain") return "inactive";
    if (this.#timerOf(unit) !== undefined) return unit.desired;
    const place = this.#placeOf(unit);
    const { entry, status } = place ?? { entry: undefined, status: undefined };
    return currentState({ record: unit.record, entry, status, job: this.#jobOf(unit) });
  }

  /** What machines report of units, in the order of names and machines. Files that only follow others are left out. */
  states(): readonly FleetState[] {
    this.#states ??= [...this.#placed(), ...this.#ended(), ...this.#waiting()].sort((a, b) =>
      stateKey(a) < stateKey(b) ? -1 : 1,
    );
    return this.#states;
  }

  /** The state to show of one unit; undefined while no machine reports any. */
  stateOf(unit: FleetUnit): FleetState | undefined {
    const place = this.#placeOf(unit);
    return (place && this.#reported(unit.name, place)) ?? this.#endOf(unit) ?? this.#waitingOf(unit);
  }

  *#placed(): Generator<FleetState> {
    for (const [name, places] of this.#byName()) {
      for (const place of places) {
        const state = this.#reported(name, place);
        if (state !== undefined) yield state;
      }
    }
  }

  /** Units that have run to their end, and that no machine reports any more. */
  *#ended(): Generator<FleetState> {
    for (const { instance } of this.snapshot.jobs.values()) {
      if (this.#byName().has(instance)) continue;
      const unit = this.find(instance);
      const state = unit && this.#endOf(unit);
      if (state !== undefined) yield state;
    }
  }

  /** Timers of the cluster: they wait with whoever leads. */
  *#waiting(): Generator<FleetState> {
    for (const name of this.snapshot.timers.keys()) {
      const unit = this.#byName().has(name) ? undefined : this.find(name);
      const state = unit && this.#waitingOf(unit);
      if (state !== undefined) yield state;
    }
  }

  #waitingOf(unit: FleetUnit): FleetState | undefined {
    const timer = this.#timerOf(unit);
    const machine = this.snapshot.leader;
    if (timer === undefined || machine === undefined || unit.desired === "inactive") return undefined;
    const { name, hash, next, reason } = timer;
    const common = { name, machine, hash, load: "loaded" };
    if (unit.desired === "loaded") return { ...common, active: "inactive", sub: "dead" };
    if (reason !== "") return { ...common, active: "failed", sub: "failed" };
    return { ...common, active: "active", sub: next > 0 ? "waiting" : "elapsed" };
  }

  #timerOf({ name, desired }: FleetUnit): TimerRecord | undefined {
    const timer = this.snapshot.timers.get(name);
    const isOver = desired === "inactive" || (desired === "launched" && timer?.reason === timerStopped);
    return isOver ? undefined : timer;
  }

  #endOf(unit: FleetUnit): FleetState | undefined {
    const end = unit.kind === "plain" ? endOfJob(this.#jobOf(unit)) : undefined;
    return end && { name: unit.name, load: "loaded", ...end };
  }

  #reported(name: string, { machine, entry, status }: Place): FleetState | undefined {
    if (status === undefined) return undefined;
    const { load, active, sub } = status;
    const hash = status.hash || (entry?.hash ?? this.find(name)?.record.hash ?? "");
    return { name, machine, hash, load, active, sub };
  }

  /** Of a unit that was unloaded nothing is told, how it ended neither. */
  #jobOf({ name, desired }: FleetUnit): Job | undefined {
    return desired === "inactive" ? undefined : this.snapshot.jobs.get(jobName(name));
  }

  /** Where the unit runs, or else where it shall run, or else where it still shows. */
  #placeOf({ name }: FleetUnit): Place | undefined {
    const places = this.#places?.get(name) ?? [...placesOf(name, this.snapshot)];
    return (
      places.find(({ entry, status }) => entry !== undefined && status?.active === "active") ??
      places.find(({ entry }) => entry !== undefined) ??
      places[0]
    );
  }

  #unitsOf(record: Unit): FleetUnit[] {
    const replicas = isTemplate(record.name) ? instancesOf(record, this.snapshot.units) : [];
    return [this.#unit(record.name, record), ...replicas.map(({ name }) => this.#unit(name, record))];
  }

  #unit(name: string, record: Unit): FleetUnit {
    if (isTemplate(name)) return { name, record, kind: "template", desired: "inactive" };
    const rules = this.#placements.rulesOf(record.hash, name);
    const isGlobal = typeof rules === "object" && "global" in rules && rules.global;
    return { name, record, kind: isGlobal ? "global" : "plain", desired: record.desired };
  }

  #byName(): ReadonlyMap<string, readonly Place[]> {
    return (this.#places ??= placesByName(this.snapshot));
  }
}

export const stateKey = ({ name, machine }: Pick<FleetState, "name" | "machine">): string =>
  `${name}/${machine}`;

const suffixOf = (name: string): string => name.slice(name.lastIndexOf("."));

/** Without an index over everything, which most questions do not need. */
function* placesOf(name: string, { schedule, statuses }: ClusterSnapshot): Generator<Place> {
  for (const [machine, entries] of schedule) {
    const entry = entries.get(name);
    if (entry?.companion === false) yield { machine, entry, status: statuses.get(machine)?.get(name) };
  }
  for (const [machine, reported] of statuses) {
    const status = reported.get(name);
    const isOrdered = schedule.get(machine)?.has(name) === true;
    if (status !== undefined && !isOrdered) yield { machine, entry: undefined, status };
  }
}

function placesByName({ schedule, statuses }: ClusterSnapshot): ReadonlyMap<string, readonly Place[]> {
  const places = new Map<string, Place[]>();
  const add = (name: string, place: Place): void => {
    const known = places.get(name);
    if (known === undefined) places.set(name, [place]);
    else known.push(place);
  };
  for (const machine of new Set([...schedule.keys(), ...statuses.keys()])) {
    const entries = schedule.get(machine);
    const reported = statuses.get(machine);
    for (const [name, entry] of entries ?? []) {
      if (!entry.companion) add(name, { machine, entry, status: reported?.get(name) });
    }
    for (const [name, status] of reported ?? []) {
      if (!entries?.has(name)) add(name, { machine, entry: undefined, status });
    }
  }
  return places;
}
