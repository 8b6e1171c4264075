// set-desired, restart, scale and destroy: changes to units that are there, and instances of templates.
import { KeelError } from "../base/errors.ts";
import { instancesOf } from "../model/instances.ts";
import { type Job, openRun } from "../model/job.ts";
import type { Change, Selector } from "../model/operation.ts";
import { readPlacement } from "../model/placement/read-placement.ts";
import type { UnitStatus } from "../model/schedule.ts";
import type { DesiredState, Unit } from "../model/unit.ts";
import { isTemplate } from "../model/unit-name.ts";
import { changed, type Draft, listNames, type PlanInput } from "./draft.ts";
import { type Found, refuseUnknown, resolveSelector, resolveTemplate } from "./selector.ts";

/** @throws KeelError of the selector; KEEL-104 for a replica by itself; KEEL-105 for a template without replicas; KEEL-102 for an instance that its template cannot place */
export function planDesired(units: Selector, desired: DesiredState, input: PlanInput): Draft {
  const { snapshot, context } = input;
  const changes: Change[] = [];
  const unchanged: string[] = [];
  for (const found of resolveSelector(units, snapshot.units)) {
    if (found.kind === "instance") {
      const made = instanceFor(found, desired, input);
      if (made === undefined) unchanged.push(found.name);
      else changes.push({ unit: made.name, after: made });
      continue;
    }
    const { unit } = found;
    if (desired === "launched" && isTemplate(unit.name) && unit.replicas === 0) {
      if ("all" in units) continue;
      refuseTemplate(unit.name);
    }
    const after = withDesired(unit, desired, input);
    if (after === undefined) unchanged.push(unit.name);
    else changes.push({ unit: unit.name, before: unit, after: changed(unit, after, context.nowMs) });
  }
  return { changes, unchanged, summary: `${verb(desired, changes)} ${describe(units, changes, unchanged)}` };
}

export function planRestart(units: Selector, { snapshot, context }: PlanInput): Draft {
  const changes: Change[] = [];
  const unchanged: string[] = [];
  const single = new Map<string, { readonly template: Unit; readonly replicas: string[] }>();
  for (const found of resolveSelector(units, snapshot.units)) {
    if (found.kind === "instance" && found.replica && found.template.desired === "launched") {
      const known = single.get(found.template.name) ?? { template: found.template, replicas: [] };
      single.set(found.template.name, known);
      known.replicas.push(found.name);
      continue;
    }
    const unit = ownRecord(found, snapshot.units, "Restart");
    if (unit.desired !== "launched" || instancesOf(unit, snapshot.units).length === 0) {
      unchanged.push(unit.name);
      continue;
    }
    const after = changed(unit, { restarts: unit.restarts + 1 }, context.nowMs);
    changes.push({ unit: unit.name, before: unit, after });
  }
  const named = changes.map(({ unit }) => unit);
  for (const { template, replicas } of single.values()) {
    if (named.includes(template.name)) continue;
    const after = withRestarts(template, replicas, context.nowMs);
    changes.push({ unit: template.name, before: template, after });
    named.push(...replicas);
  }
  const notes = unchanged.map((name) => `${name} is not started, so it is not restarted`);
  const what = single.size > 0 ? listNames(named) : describe(units, changes, unchanged);
  return { changes, unchanged, notes, summary: `restart ${what}` };
}

function withRestarts(template: Unit, replicas: readonly string[], nowMs: number): Unit {
  const replicaRestarts = { ...template.replicaRestarts };
  for (const name of replicas) replicaRestarts[name] = (replicaRestarts[name] ?? 0) + 1;
  return changed(template, { replicaRestarts }, nowMs);
}

/** Scaling a template that has never been started starts it; one that was stopped stays stopped. */
export function planScale(name: string, replicas: number, { snapshot, context }: PlanInput): Draft {
  const unit = resolveTemplate(name, snapshot.units);
  const summary = `scale ${unit.name} from ${unit.replicas} to ${replicas}`;
  const starts = unit.desired === "inactive" && unit.replicas === 0 && replicas > 0;
  if (unit.replicas === replicas && !starts) return { changes: [], unchanged: [unit.name], summary };
  const desired = starts ? "launched" : unit.desired;
  const after = changed(unit, { replicas, desired }, context.nowMs);
  const isStopped = desired !== "launched" && replicas > 0;
  const notes = isStopped ? [`${unit.name} is stopped: its replicas start when it does`] : [];
  return { changes: [{ unit: unit.name, before: unit, after }], notes, summary };
}

export function planDestroy(units: Selector, { snapshot }: PlanInput): Draft {
  const found = resolveSelector(units, snapshot.units);
  const changes = found.map((one): Change => {
    const unit = ownRecord(one, snapshot.units, "Destroy");
    return { unit: unit.name, before: unit };
  });
  return { changes, summary: `destroy ${describe(units, changes, [])}` };
}

/**
 * The fields to change for a unit to become as desired; `undefined` when it is so already. Starting what has
 * failed, has ended, or is being stopped is a restart; so is starting what runs to its end once more, and stopping it.
 */
export function withDesired(
  unit: Unit,
  desired: DesiredState,
  { snapshot }: Pick<PlanInput, "snapshot">,
): Partial<Unit> | undefined {
  const runs = [...snapshot.jobs.values()].filter((job) => job.unit === unit.name);
  if (runs.length > 0) return ofJob(unit, desired, runs);
  const names = instancesOf(unit, snapshot.units).map(({ name }) => name);
  const hasEnded = names.length > 0 && names.every((name) => isReported(name, ended));
  // Asked to stop a moment ago, and still running: taking that back would leave it as it was.
  const isStopping = unit.desired === "loaded" && names.some((name) => isReported(name, isUp));
  const revive =
    desired === "launched" && (hasEnded || isStopping || names.some((name) => isReported(name, failed)));
  if (revive) return { desired, restarts: unit.restarts + 1 };
  return unit.desired === desired ? undefined : { desired };

  function isReported(instance: string, as: (status: UnitStatus) => boolean): boolean {
    for (const [machine, statuses] of snapshot.statuses) {
      const status = statuses.get(instance);
      if (status !== undefined && as(status) && snapshot.schedule.get(machine)?.has(instance)) return true;
    }
    return false;
  }
}

/** Starting a unit that runs to its end is another run, unless one is under way; stopping it ends that. */
function ofJob(unit: Unit, desired: DesiredState, jobs: readonly Job[]): Partial<Unit> | undefined {
  const isOpen = jobs.some((job) => openRun(job) !== undefined);
  if (isOpen !== (desired === "launched")) return { desired, restarts: unit.restarts + 1 };
  return unit.desired === desired ? undefined : { desired };
}

const isUp = ({ active }: UnitStatus): boolean => active !== "inactive" && active !== "failed";
const failed = ({ active, health }: UnitStatus): boolean => active === "failed" || health === "failed";
/** It was started by its present order, and has stopped by itself. */
const ended = ({ active, steps }: UnitStatus): boolean =>
  active === "inactive" && steps["active"] !== undefined;

export function refuseTemplate(name: string): never {
  const stem = name.slice(0, name.lastIndexOf("."));
  const type = name.slice(name.lastIndexOf("."));
  throw new KeelError("KEEL-105", `${name} is a template without replicas: it has nothing to start.`, {
    hint: `keel start ${stem}1${type} starts an instance, keel scale ${stem} 3 three of them.`,
    details: { template: name },
  });
}

/** The record of an instance that is made from its template; `undefined` for a replica that is as desired. */
function instanceFor(
  found: Extract<Found, { kind: "instance" }>,
  desired: DesiredState,
  { snapshot, bodies, context }: PlanInput,
): Unit | undefined {
  const { name, template } = found;
  if (found.replica) {
    if (template.desired === desired) return undefined;
    refuseReplica(name, template.name);
  }
  if (desired === "inactive") refuseUnknown(name, snapshot.units);
  const body = bodies(template.hash);
  if (body !== undefined) readPlacement(name, body);
  return {
    name,
    desired,
    hash: template.hash,
    replicas: 0,
    restarts: 0,
    generation: 1,
    owner: template.owner,
    created: context.nowMs,
    changed: context.nowMs,
  };
}

function ownRecord(found: Found, units: ReadonlyMap<string, Unit>, verb: string): Unit {
  if (found.kind === "unit") return found.unit;
  if (!found.replica) return refuseUnknown(found.name, units);
  return refuseReplica(found.name, found.template.name, verb);
}

function refuseReplica(name: string, template: string, verb = "Change"): never {
  throw new KeelError("KEEL-104", `${name} is a replica of ${template} and has no settings of its own.`, {
    hint: replicaHint(template, verb),
    details: { unit: name, template },
  });
}

function replicaHint(template: string, verb: string): string {
  if (verb === "Restart") return `It is not started: \`keel start ${template}\` starts all of ${template}.`;
  return `${verb} ${template} as a whole, or change how many there are with \`keel scale ${template}\`.`;
}

function verb(desired: DesiredState, changes: readonly Change[]): string {
  if (desired === "launched") return "start";
  if (desired === "inactive") return "unload";
  return changes.some(({ before }) => before?.desired === "launched") ? "stop" : "load";
}

function describe(units: Selector, changes: readonly Change[], unchanged: readonly string[]): string {
  if ("all" in units) return `all ${changes.length} units`;
  return changes.length > 0
    ? listNames(changes.map(({ unit }) => unit))
    : `${listNames(unchanged)} (no change)`;
}
