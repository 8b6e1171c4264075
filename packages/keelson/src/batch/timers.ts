// Fires the timers of the cluster: at a due time it begins a run of a unit that runs to its end, or starts another.
// The leader asks it after the jobs.
// Invariants: a due time begins at most one run, whichever leader sees it: the run's cause names it, and the timer's
// record is written with it; a unit whose run has not ended gets no second one.
import { KeelError } from "../base/errors.ts";
import { clusterTimerTarget, type TimerTarget } from "../model/cluster-timer.ts";
import type { Decider, DeciderScene, Decision } from "../model/decision.ts";
import { type Instance, instancesOf } from "../model/instances.ts";
import { type Job, openRun, type TimerRecord, timerStopped } from "../model/job.ts";
import type { Machine } from "../model/machine.ts";
import { effectiveMachines } from "../model/machine-metadata.ts";
import type { Operation } from "../model/operation.ts";
import type { PlacementRules, TimerRules } from "../model/placement/rules.ts";
import { type RecordChange, sameRecord } from "../model/record-kinds.ts";
import { isLate, latestDue, nextDue } from "./due.ts";
import { beginRun } from "./run.ts";
import { startOperation } from "./start-operation.ts";
import { pastOfUnit } from "./unit-past.ts";
import { jobsOf } from "./wanted-jobs.ts";

export const timers: Decider = { name: "timers", decide };

interface ClusterTimer {
  readonly instance: Instance;
  readonly rules: TimerRules;
  readonly target: TimerTarget;
}

function decide(scene: DeciderScene): Decision {
  const { snapshot, nowMs, wallMs } = scene;
  const records: RecordChange[] = [];
  const operations: Operation[] = [];
  const seen = new Set<string>();
  let awaitsReports = false;
  let nextWallMs = Infinity;
  const firing = new Firing(scene);
  for (const timer of clusterTimers(scene)) {
    const { name } = timer.instance;
    seen.add(name);
    const before = snapshot.timers.get(name);
    if (before === undefined && timer.instance.desired === "inactive") continue;
    const { record, operation } = firing.look(timer, before);
    if (record.next > 0) nextWallMs = Math.min(nextWallMs, record.next);
    awaitsReports ||= timer.rules.onUnitActiveMs.length + timer.rules.onUnitInactiveMs.length > 0;
    const change = { kind: "timer", name, ...(before && { before }), after: record } as const;
    if (sameRecord(before, record)) continue;
    if (operation === undefined) records.push(change);
    else operations.push({ ...operation, records: [change] });
  }
  for (const [name, before] of snapshot.timers) {
    if (!seen.has(name) && !isUnread(before, scene)) records.push({ kind: "timer", name, before });
  }
  const againMs = nextWallMs === Infinity ? undefined : nowMs + Math.max(0, nextWallMs - wallMs);
  // Runs before timers: whoever finds only the run written sees its cause, and does not begin it again.
  return { records: [...firing.runs(), ...records], operations, againMs, awaitsReports };
}

function* clusterTimers({ snapshot, placements }: DeciderScene): Generator<ClusterTimer> {
  for (const unit of snapshot.units.values()) {
    if (!unit.name.endsWith(".timer")) continue;
    for (const instance of instancesOf(unit, snapshot.units)) {
      const rules = placements.rulesOf(unit.hash, instance.name);
      if (rules === "missing" || rules instanceof KeelError || rules.timer === undefined) continue;
      const target = clusterTimerTarget(instance.name, rules, snapshot.units);
      if (target !== undefined) yield { instance, rules: rules.timer, target };
    }
  }
}

/** A timer whose file cannot be read at the moment keeps its record. */
function isUnread({ unit }: TimerRecord, { snapshot, placements }: DeciderScene): boolean {
  const record = snapshot.units.get(unit);
  if (record === undefined) return false;
  const rules = placements.rulesOf(record.hash, record.name);
  return rules === "missing" || rules instanceof KeelError;
}

interface Looked {
  readonly record: TimerRecord;
  /** Starts a unit that does not run to its end. */
  readonly operation?: Operation;
}

/** One look at all timers: what they begin is seen by those that follow. */
class Firing {
  readonly #scene: DeciderScene;
  readonly #begun = new Map<string, Job>();
  #machines: readonly Machine[] | undefined;

  constructor(scene: DeciderScene) {
    this.#scene = scene;
  }

  runs(): RecordChange[] {
    const { jobs } = this.#scene.snapshot;
    return [...this.#begun].map(([name, after]) => {
      const before = jobs.get(name);
      return { kind: "job", name, ...(before && { before }), after };
    });
  }

  look(timer: ClusterTimer, before: TimerRecord | undefined): Looked {
    const current = this.#current(timer, before);
    const { next } = current;
    if (current.reason !== "") return { record: current };
    if (next === 0 || next > this.#scene.wallMs) return { record: current };
    return this.#fire(timer, current);
  }

  /** The record as things stand, before anything fires. */
  #current({ instance, rules, target }: ClusterTimer, before: TimerRecord | undefined): TimerRecord {
    const { name, unit, restarts } = instance;
    const { created, hash } = unit;
    const { wallMs } = this.#scene;
    const isSame = before?.created === created && before.restarts === restarts && before.hash === hash;
    const reason = whyNot(instance, rules);
    const isActive = isSame && before.reason === "" && before.target === target.instance;
    if (isActive && reason === "") return this.#renewed(ofThisTime(before, wallMs), { name, rules, target });
    const last = before?.created === created ? before.last : 0;
    const record: TimerRecord = {
      name,
      unit: unit.name,
      target: target.instance,
      hash,
      created,
      restarts,
      activated: reason === "" ? wallMs : (before?.activated ?? 0),
      last,
      next: 0,
      due: 0,
      reason,
      outcome: before?.created === created ? before.outcome : "",
    };
    if (reason !== "") return record;
    // What was missed while a persistent timer was stopped is made up for.
    const since = rules.persistent && before?.created === created ? last || before.activated : 0;
    return this.#renewed(record, { name, rules, target }, since);
  }

  #renewed(
    record: TimerRecord,
    {
      name,
      rules,
      target,
    }: { readonly name: string; readonly rules: TimerRules; readonly target: TimerTarget },
    since = 0,
  ): TimerRecord {
    const followsUnit = rules.onUnitActiveMs.length + rules.onUnitInactiveMs.length > 0;
    if (record.next > 0 && !followsUnit) return record;
    const past = followsUnit ? pastOfUnit(target.instance, this.#scene.snapshot) : { started: 0, ended: 0 };
    const due = nextDue(name, rules, {
      activated: since || record.activated,
      last: record.last,
      unitStarted: past.started,
      unitEnded: past.ended,
    });
    return { ...record, next: due?.at ?? 0, due: due?.due ?? 0 };
  }

  #fire(timer: ClusterTimer, record: TimerRecord): Looked {
    const { instance, rules, target } = timer;
    const { wallMs } = this.#scene;
    const due = latestDue(rules, record.due, wallMs);
    const outcome = isLate(rules, due, wallMs) ? "missed: nobody led the cluster" : this.#begin(timer, due);
    if (outcome === undefined) return { record };
    const fired: TimerRecord = {
      ...record,
      last: due,
      next: 0,
      due: 0,
      outcome: typeof outcome === "string" ? outcome : "started",
    };
    const after = this.#renewed(fired, { name: instance.name, rules, target });
    return typeof outcome === "string" ? { record: after } : { record: after, operation: outcome };
  }

  /** In words what became of it, or what starts the unit; `undefined` while the unit's file has not been read. */
  #begin({ instance, target }: ClusterTimer, due: number): string | Operation | undefined {
    const { placements, snapshot } = this.#scene;
    const cause = `${instance.name} at ${new Date(due).toISOString().replace(".000Z", "Z")}`;
    const rules = placements.rulesOf(target.unit.hash, target.unit.name);
    if (rules === "missing") return undefined;
    if (rules instanceof KeelError) return `left out: ${rules.message}`;
    if (rules.batch !== undefined) return this.#beginRuns(target, rules, cause);
    const operation = startOperation(target, cause, this.#scene);
    return operation ?? (snapshot.units.has(target.unit.name) ? "it runs already" : "its unit is gone");
  }

  #beginRuns({ instance, unit }: TimerTarget, rules: PlacementRules, cause: string): string {
    const { snapshot, wallMs, newId } = this.#scene;
    this.#machines ??= effectiveMachines(snapshot);
    let begun = 0;
    let open = 0;
    for (const wanted of jobsOf(unit, rules, { snapshot, machines: this.#machines })) {
      if (wanted.instance.name !== instance) continue;
      const { restarts } = wanted.instance;
      const { created } = unit;
      const launched = unit.desired === "launched";
      const job = this.#begun.get(wanted.name) ??
        snapshot.jobs.get(wanted.name) ?? {
          name: wanted.name,
          instance,
          unit: unit.name,
          machine: wanted.machine,
          created,
          restarts,
          launched,
          runs: [],
        };
      if (job.runs.some((run) => run.cause === cause)) begun += 1;
      else if (openRun(job) !== undefined) open += 1;
      else {
        begun += 1;
        this.#begun.set(wanted.name, beginRun(job, { id: newId(), cause, hash: unit.hash, wallMs }));
      }
    }
    if (open === 0) return begun > 0 ? "started" : "left out: no machine fits";
    return begun > 0 ? `started, but on ${open} where the run before had not ended` : notEnded;
  }
}

/** A leader whose clock was ahead has left times that have yet to come. */
function ofThisTime(record: TimerRecord, wallMs: number): TimerRecord {
  const { last, activated } = record;
  if (Math.max(last, activated) <= wallMs + toleranceMs) return record;
  return { ...record, last: Math.min(last, wallMs), activated: Math.min(activated, wallMs), next: 0, due: 0 };
}

const toleranceMs = 60_000;
const notEnded = "left out: the run before had not ended";

function whyNot({ desired }: Instance, { ofMachine, ...rules }: TimerRules): string {
  if (desired !== "launched") return timerStopped;
  if (ofMachine.length > 0)
    return `${ofMachine.join("= and ")}= means a machine, and this timer is the cluster’s: ${remedy}`;
  const triggers = [rules.calendars, rules.onActiveMs, rules.onUnitActiveMs, rules.onUnitInactiveMs];
  return triggers.every(({ length }) => length === 0) ? "it has no trigger" : "";
}

const remedy = "say OnCalendar= or OnActiveSec=, or make timer and unit Global=";
