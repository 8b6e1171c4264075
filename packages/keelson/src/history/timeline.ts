// The way of each instance from the latest change to where it is now: who asked, why it is there, and how long
// each step took. Read from the records as they are, so that it is there for as long as they are.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { instancesOf } from "../model/instances.ts";
import type { Job } from "../model/job.ts";
import type { Operation } from "../model/operation.ts";
import type { ScheduleEntry, UnitStatus } from "../model/schedule.ts";
import { templateName } from "../model/unit-name.ts";
import type { Unit } from "../model/unit.ts";
import type { EventKind } from "./cluster-event.ts";
import { stepNames, stepWords } from "./status-events.ts";

export interface TimelineStep {
  readonly kind: EventKind;
  /** Unix milliseconds, by the clock of whoever did it. */
  readonly at: number;
  /** Since the beginning. */
  readonly afterMs: number;
  /** Since the step before. */
  readonly tookMs: number;
  /** In words: "placed on m2". */
  readonly text: string;
  /** Why, in words; empty when there is nothing to say. */
  readonly why: string;
}

export interface InstanceTimeline {
  readonly name: string;
  /** Machine id and name; empty while it is nowhere. */
  readonly machine: string;
  readonly machineName: string;
  /** The last operation that concerned it; `null` when it is not kept any more. */
  readonly operation: { readonly id: string; readonly who: string; readonly at: number } | null;
  readonly steps: readonly TimelineStep[];
  /** From the first step to the last. */
  readonly totalMs: number;
  /** Nothing more is to come: it is as it was asked for. */
  readonly isDone: boolean;
  /** What it waits for or why it failed, in words; empty when it is as it should be. */
  readonly reason: string;
}

/** One entry for each instance of the unit and each machine that it is on. Empty for a name that is not known. */
export function timelineOf(snapshot: ClusterSnapshot, name: string): InstanceTimeline[] {
  const unit = snapshot.units.get(name);
  const wanted = unit === undefined ? [] : instancesOf(unit, snapshot.units).map((instance) => instance.name);
  const names = new Set(wanted.length > 0 ? wanted : [name]);
  const found: InstanceTimeline[] = [];
  for (const [machine, entries] of snapshot.schedule) {
    for (const one of names) {
      const order = entries.get(one);
      if (order !== undefined && !order.companion) found.push(placed(one, { snapshot, machine, order }));
    }
  }
  const there = new Set(found.map((timeline) => timeline.name));
  const nowhere = wanted.filter((one) => !there.has(one)).flatMap((one) => unplaced(one, unit, snapshot));
  return [...found, ...nowhere].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

interface Place {
  readonly snapshot: ClusterSnapshot;
  readonly machine: string;
  readonly order: ScheduleEntry;
}

function placed(name: string, { snapshot, machine, order }: Place): InstanceTimeline {
  const operation = lastOperation(name, snapshot);
  const status = snapshot.statuses.get(machine)?.get(name);
  const isAnswered = status !== undefined && status.hash === order.hash && status.restarts === order.restarts;
  const machineName = machineNameOf(machine, snapshot);
  const steps: Omit<TimelineStep, "afterMs" | "tookMs">[] = [];
  const isNew = operation === undefined || order.placed >= operation.at;
  // A move is the leader's own: it begins with its placement.
  const isMoved = isNew && order.because.startsWith(movedFrom);
  if (operation !== undefined && !isMoved) steps.push(asked(operation));
  if (isNew)
    steps.push({ kind: "placed", at: order.placed, text: `placed on ${machineName}`, why: order.because });
  if (isAnswered) steps.push(...reported(status, isNew ? order.placed : (operation?.at ?? 0)));
  const wanted = order.desired === "launched" ? ["healthy", "stopped"] : ["stopped"];
  const isDone = isAnswered && wanted.includes(status.health) && status.reason === "";
  return finish(steps, {
    name,
    machine,
    machineName,
    operation,
    isDone,
    reason: isAnswered ? status.reason : `${machineName} has yet to answer`,
  });
}

/** What has ended is where it ran, what nobody wants is done, a timer of the cluster needs no machine. */
function unplaced(name: string, unit: Unit | undefined, snapshot: ClusterSnapshot): InstanceTimeline[] {
  const operation = lastOperation(name, snapshot);
  const ended = [...snapshot.jobs.values()].filter(({ instance, runs }) => {
    const state = runs.at(-1)?.state;
    return instance === name && (state === "succeeded" || state === "failed");
  });
  if (ended.length > 0) return ended.map((job) => lastRun(job, operation, snapshot));
  const isDone = unit?.desired === "inactive" || snapshot.timers.has(name);
  return [
    finish(operation === undefined ? [] : [asked(operation)], {
      name,
      machine: "",
      machineName: "",
      operation,
      isDone,
      reason: isDone ? "" : "it has no machine",
    }),
  ];
}

function lastRun(
  { instance: name, runs }: Job,
  latest: Operation | undefined,
  snapshot: ClusterSnapshot,
): InstanceTimeline {
  const run = runs.at(-1);
  if (run === undefined) throw new TypeError(`a job without a run: ${name}`);
  const { machine, number, attempt, cause, reason, state } = run;
  const machineName = machineNameOf(machine, snapshot);
  // Otherwise a timer began it, or an earlier operation did.
  const operation = latest !== undefined && cause.startsWith(latest.summary) ? latest : undefined;
  const began = attempt > 1 ? `attempt ${attempt} begun on ${machineName}` : `begun on ${machineName}`;
  const begin = { kind: "job", at: run.asked, text: `run ${number} asked for`, why: cause } as const;
  const steps: Omit<TimelineStep, "afterMs" | "tookMs">[] = [
    operation === undefined ? begin : asked(operation),
    ...(run.started > 0 ? [{ kind: "job", at: run.started, text: began, why: "" } as const] : []),
    { kind: "ended", at: run.ended, text: state, why: reason },
  ];
  return finish(steps, {
    name,
    machine,
    machineName,
    operation,
    isDone: state === "succeeded",
    reason: state === "succeeded" ? "" : reason,
  });
}

const machineNameOf = (machine: string, { members, machines }: ClusterSnapshot): string =>
  (members.get(machine) ?? machines.get(machine))?.name ?? machine.slice(0, 8);

const asked = ({ at, summary, who, via }: Operation): Omit<TimelineStep, "afterMs" | "tookMs"> => ({
  kind: "operation",
  at,
  text: summary,
  why: `asked for by ${who} (${via})`,
});

/** What the machine did since then; what it did before belongs to an earlier change. */
function reported(
  { steps, health, since, reason }: UnitStatus,
  sinceMs: number,
): Omit<TimelineStep, "afterMs" | "tookMs">[] {
  const all = stepNames.flatMap((kind) => {
    const at = steps[kind];
    // Clocks of machines differ: a little earlier than the order is still after it.
    return at === undefined || at < sinceMs - clockSkewMs
      ? []
      : [{ kind, at, text: stepWords[kind], why: "" }];
  });
  const last = all.at(-1);
  if (health === "failed" && since >= sinceMs - clockSkewMs)
    return [...all, { kind: "failed", at: Math.max(since, last?.at ?? 0), text: "failed", why: reason }];
  return all;
}

/** How the scheduler's reasons for a move begin. */
const movedFrom = "moved from ";

/** How far the clocks of machines may be apart for their times to be told together. */
const clockSkewMs = 1000;

function finish(
  steps: readonly Omit<TimelineStep, "afterMs" | "tookMs">[],
  {
    operation,
    ...rest
  }: Omit<InstanceTimeline, "steps" | "totalMs" | "operation"> & {
    readonly operation: Operation | undefined;
  },
): InstanceTimeline {
  const begun = steps[0]?.at ?? 0;
  const timed = steps.map((step, index): TimelineStep => ({
    ...step,
    afterMs: Math.max(0, step.at - begun),
    tookMs: Math.max(0, step.at - (steps[index - 1]?.at ?? step.at)),
  }));
  return {
    ...rest,
    operation: operation === undefined ? null : { id: operation.id, who: operation.who, at: operation.at },
    steps: timed,
    totalMs: timed.at(-1)?.afterMs ?? 0,
  };
}

/** The latest operation that changed the instance's unit: by its own name, or by its template's. */
function lastOperation(name: string, { operations }: ClusterSnapshot): Operation | undefined {
  const template = templateName(name);
  let last: Operation | undefined;
  for (const operation of operations.values()) {
    if (last !== undefined && operation.at <= last.at) continue;
    if (operation.changes.some(({ unit }) => unit === name || unit === template)) last = operation;
  }
  return last;
}
