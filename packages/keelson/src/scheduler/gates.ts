// Dependencies between units on any machines: AfterUnit= and RequiresUnit= hold a start back until what they name is
// healthy, and a unit runs only while all that it requires is wanted. Pure; the pass asks it.
// Invariants: what runs is never stopped because a dependency is unwell, moves or is unknown for a moment, but only
// because nobody wants it any more; whatever is held back has a reason, and one that no time will mend is final.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { allInstances, type Instance } from "../model/instances.ts";
import type { Job } from "../model/job.ts";
import type { ScheduleEntry, UnitStatus } from "../model/schedule.ts";
import { barredRequirers, NamedInstances } from "../model/requirements.ts";
import { findCircles } from "./circles.ts";
import { leadersOf } from "./company.ts";
import type { Placeable, Wanted } from "./placeable.ts";
import type { Unplaced } from "./plan.ts";

export interface GateScene {
  readonly snapshot: ClusterSnapshot;
  readonly wanted: Wanted;
}

/** What a dependency is, as one who waits for it sees it. */
type Standing =
  | { readonly is: "well" }
  /** On its way, or at least expected back. */
  | { readonly is: "coming"; readonly words: string }
  /** It runs, and not well. */
  | { readonly is: "ill"; readonly words: string }
  /** Only a person or another machine helps; or the machine that tries it again. */
  | { readonly is: "down"; readonly words: string }
  /** It has no machine: why, the pass knows at its end. */
  | { readonly is: "unplaced" };

interface Hold {
  readonly unit: string;
  /** What it waits for. */
  readonly on: string;
  readonly begins: string;
}

export class Gates {
  readonly #scene: GateScene;
  readonly #circles: ReadonlyMap<string, readonly string[]>;
  readonly #places: ReadonlyMap<string, readonly Place[]>;
  readonly #barred: ReadonlyMap<string, string>;
  readonly #named: NamedInstances;
  readonly #jobs: ReadonlyMap<string, readonly Job[]>;
  readonly #standings = new Map<string, Standing>();
  /** Starts that wait for a dependency without a machine. */
  readonly #holds: Hold[] = [];
  #isHolding = false;

  constructor(scene: GateScene) {
    this.#scene = scene;
    const gated = [...scene.wanted.placeables.values()].filter(hasGates);
    this.#named = new NamedInstances(gated.length === 0 ? new Map() : allInstances(scene.snapshot.units));
    this.#jobs = Map.groupBy(scene.snapshot.jobs.values(), ({ instance }) => instance);
    const requirers = gated.filter(
      ({ rules, instance }) => rules.requiresUnits.length > 0 && instance.desired === "launched",
    );
    this.#barred = barredRequirers(requirers, this.#named);
    this.#circles = gated.length === 0 ? new Map() : this.#findCircles();
    this.#places = gated.length === 0 ? new Map() : placesOf(this.#dependencies(gated), scene.snapshot);
  }

  /** Whether something is held back that a machine's report may set free. */
  get awaitsReports(): boolean {
    return this.#isHolding;
  }

  /** Why a unit that runs has to stop: something that it requires is not wanted any more, in words. */
  barring({ name }: Placeable): string | undefined {
    return this.#barred.get(name);
  }

  /**
   * Why the unit may not start now; `undefined` when it may. One that has run and comes from a lost machine waits for
   * an AfterUnit= only while that is on its way itself.
   */
  hold(unit: Placeable, { hasRun }: { readonly hasRun: boolean }): Unplaced | undefined {
    if (!hasGates(unit) || unit.instance.desired !== "launched") return undefined;
    const circle = this.#circles.get(unit.name);
    if (circle !== undefined && !hasRun) {
      const names = [...circle, circle[0] ?? ""].join(" → ");
      return { reason: `waits for itself: its dependencies go in a circle (${names})`, final: true };
    }
    const { requiresUnits, afterUnits } = unit.rules;
    for (const name of requiresUnits) {
      const held = this.#holdOn(unit.name, name, "requires");
      if (held !== undefined) return held;
    }
    for (const name of afterUnits) {
      if (requiresUnits.includes(name) || (hasRun && !this.#isComing(name))) continue;
      const held = this.#holdOn(unit.name, name, "waits for");
      if (held !== undefined) return held;
    }
    return undefined;
  }

  /** Gives those who wait for a unit without a machine its reason, once all are placed. */
  explain(unplaced: Map<string, Unplaced>): void {
    const holds = new Map(this.#holds.map((hold) => [hold.unit, hold]));
    const seen = new Set<string>();
    const explain = (hold: Hold): void => {
      if (seen.has(hold.unit)) return;
      seen.add(hold.unit);
      const next = holds.get(hold.on);
      if (next !== undefined) explain(next);
      const cause = unplaced.get(hold.on);
      if (cause === undefined || !unplaced.has(hold.unit)) return;
      // One step is enough: the other tells the rest.
      const isOfItself = /^(waits|requires|refers) /.test(cause.reason);
      const words = isOfItself ? `it ${cause.reason.split(" (")[0] ?? ""}` : cause.reason;
      unplaced.set(hold.unit, { reason: `${hold.begins} (${words})`, final: cause.final });
    };
    for (const hold of this.#holds) explain(hold);
  }

  #holdOn(unit: string, name: string, verb: "requires" | "waits for"): Unplaced | undefined {
    const instances = this.#named.get(name);
    if (instances.length === 0) {
      const isKnown = this.#scene.snapshot.units.has(name);
      const words = isKnown ? "which has no instances" : "which the cluster does not have";
      return { reason: `${verb} ${name}, ${words}`, final: true };
    }
    for (const instance of instances) {
      if (instance.desired !== "launched")
        return { reason: `${verb} ${instance.name}, which nobody has started`, final: true };
      const barred = this.#barred.get(instance.name);
      if (barred !== undefined)
        return { reason: `${verb} ${instance.name}, which may not run: ${barred}`, final: true };
    }
    for (const instance of instances) {
      const standing = this.#standing(instance);
      if (standing.is === "well") continue;
      this.#isHolding = true;
      const begins = `waits for ${instance.name} to be healthy`;
      if (standing.is === "unplaced") {
        this.#holds.push({ unit, on: instance.name, begins });
        return { reason: `${begins} (it has no machine yet)`, final: false };
      }
      return { reason: `${begins} (${standing.words})`, final: standing.is === "down" };
    }
    return undefined;
  }

  #isComing(name: string): boolean {
    return this.#named.get(name).some((instance) => {
      if (instance.desired !== "launched") return false;
      const { is } = this.#standing(instance);
      return is === "coming" || is === "unplaced";
    });
  }

  #standing({ name, unit }: Instance): Standing {
    const known = this.#standings.get(name);
    if (known !== undefined) return known;
    const jobs = this.#jobs.get(name) ?? [];
    const isToRunOnce = this.#scene.wanted.placeables.get(name)?.rules.batch !== undefined;
    const standing =
      jobs.length > 0 || isToRunOnce ? standingOfJobs(jobs) : this.#standingOnMachines(name, unit.restarts);
    this.#standings.set(name, standing);
    return standing;
  }

  /** Of a global unit all machines that report count; of any other one is enough. */
  #standingOnMachines(name: string, restarts: number): Standing {
    const places = this.#places.get(name) ?? [];
    const found = places.map((place) => standingAt(place, restarts));
    const isGlobal = this.#scene.wanted.placeables.get(name)?.rules.global === true;
    const counts = isGlobal && found.length > 1 ? found.filter((_, at) => places[at]?.isUp) : found;
    const [first] = counts;
    if (first === undefined) return { is: "unplaced" };
    if (!isGlobal) return found.find(({ is }) => is === "well") ?? first;
    return counts.find(({ is }) => is !== "well") ?? first;
  }

  #findCircles(): ReadonlyMap<string, readonly string[]> {
    const { placeables } = this.#scene.wanted;
    const gatesOf = (name: string): string[] => {
      const rules = placeables.get(name)?.rules;
      const names = rules === undefined ? [] : [...rules.requiresUnits, ...rules.afterUnits];
      return names.flatMap((one) => this.#named.get(one).map((instance) => instance.name));
    };
    const companyOf = (name: string): readonly string[] => {
      const unit = placeables.get(name);
      return unit === undefined ? [] : leadersOf(unit);
    };
    return findCircles(placeables.keys(), { gatesOf, companyOf });
  }

  #dependencies(gated: readonly Placeable[]): ReadonlySet<string> {
    const names = gated.flatMap(({ rules }) => [...rules.requiresUnits, ...rules.afterUnits]);
    return new Set(names.flatMap((name) => this.#named.get(name).map((instance) => instance.name)));
  }
}

const hasGates = ({ rules }: Placeable): boolean =>
  rules.afterUnits.length > 0 || rules.requiresUnits.length > 0;

interface Place {
  readonly entry: ScheduleEntry;
  readonly status: UnitStatus | undefined;
  readonly machine: string;
  readonly isUp: boolean;
}

function placesOf(
  names: ReadonlySet<string>,
  { schedule, statuses, machines, members }: ClusterSnapshot,
): Map<string, Place[]> {
  const places = new Map<string, Place[]>();
  for (const [id, entries] of schedule) {
    for (const name of names.size < entries.size ? names : entries.keys()) {
      const entry = names.has(name) ? entries.get(name) : undefined;
      if (entry === undefined || entry.companion || entry.desired !== "launched") continue;
      const machine = members.get(id)?.name ?? machines.get(id)?.name ?? id.slice(0, 8);
      const place = { entry, status: statuses.get(id)?.get(name), machine, isUp: machines.has(id) };
      const known = places.get(name);
      if (known === undefined) places.set(name, [place]);
      else known.push(place);
    }
  }
  return places;
}

function standingAt({ entry, status, machine, isUp }: Place, restarts: number): Standing {
  const coming = (words: string): Standing => ({ is: "coming", words });
  if (!isUp) return coming(`${machine}, where it is, does not report`);
  if (status === undefined) return coming(`it is about to start on ${machine}`);
  const isOfOrder = status.hash === entry.hash && status.restarts >= entry.restarts;
  if (!isOfOrder || entry.restarts < restarts) return coming(`it is on its way on ${machine}`);
  const because = status.reason === "" ? "" : `: ${status.reason}`;
  if (status.ended?.result === "succeeded") return { is: "well" };
  if (status.health === "failed" || status.active === "failed")
    return { is: "down", words: `it has failed on ${machine}${because}` };
  if (status.active === "active" && status.health === "healthy") return { is: "well" };
  if (status.health === "unhealthy") return { is: "ill", words: `it is unhealthy on ${machine}${because}` };
  const hasEnded = status.active === "inactive" && status.steps["active"] !== undefined;
  if (hasEnded) return { is: "down", words: `it has ended on ${machine}` };
  return coming(`it is starting on ${machine}${because}`);
}

/** One that runs to its end is well when its newest run has succeeded. */
function standingOfJobs(jobs: readonly Job[]): Standing {
  let all: Standing = jobs.length === 0 ? { is: "coming", words: "it has yet to run" } : { is: "well" };
  for (const { runs } of jobs) {
    const last = runs.at(-1);
    if (last?.state === "succeeded") continue;
    const failed = last?.state === "failed";
    const reason = last === undefined || last.reason === "" ? "" : `: ${last.reason}`;
    const words = failed ? `its run failed${reason}` : `it has yet to finish its run${reason}`;
    all = { is: failed ? "down" : "coming", words };
    if (failed) return all;
  }
  return all;
}
