// Instances that have no order and are no less real: units that ran to their end, as their last run left them, and
// timers of the cluster, which wait for their time on no machine.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import { type Job, type JobRun, openRun, type TimerRecord } from "../../model/job.ts";
import type { InstanceState, InstanceView } from "../wire/instance.ts";
import { instanceWaiting } from "./instance-view.ts";

export interface RunInstance {
  readonly key: string;
  /** What it is made of: as long as that is the same, it is. */
  readonly from: readonly unknown[];
  readonly view: InstanceView;
}

/** @param waiting instances that are shown as waiting for a machine already */
export function* runInstances(
  snapshot: ClusterSnapshot,
  waiting: ReadonlyMap<string, unknown>,
): Generator<RunInstance> {
  const present = presentOn(snapshot);
  for (const job of snapshot.jobs.values()) {
    const machines = present.get(job.instance);
    const isShown = job.machine === "" ? machines !== undefined : machines?.has(job.machine) === true;
    const last = job.runs.at(-1);
    if (last === undefined || isShown || (job.machine === "" && waiting.has(job.instance))) continue;
    const view = jobInstance(job, last, snapshot);
    yield { key: view.key, from: [job, view.machineName], view };
  }
  for (const timer of snapshot.timers.values()) {
    const view = timerInstance(timer, snapshot);
    if (view.desired === "inactive") continue;
    yield { key: view.key, from: [timer, view.desired], view };
  }
}

/** By instance, the machines that have an order or a report of it. */
function presentOn({ schedule, statuses, jobs }: ClusterSnapshot): ReadonlyMap<string, ReadonlySet<string>> {
  const present = new Map<string, Set<string>>();
  if (jobs.size === 0) return present;
  const names = new Set([...jobs.values()].map(({ instance }) => instance));
  for (const [machine, units] of [...schedule, ...statuses]) {
    for (const name of units.keys()) {
      if (!names.has(name)) continue;
      const known = present.get(name);
      if (known === undefined) present.set(name, new Set([machine]));
      else known.add(machine);
    }
  }
  return present;
}

function jobInstance(job: Job, last: JobRun, { machines, members }: ClusterSnapshot): InstanceView {
  const { instance: name, unit } = job;
  const { hash, machine, reason } = last;
  const blank = instanceWaiting({ name, unit, hash, desired: "launched", reason });
  const known = machines.get(machine) ?? members.get(machine);
  const key = `${job.machine}/${name}`;
  if (openRun(job) !== undefined) {
    const until = last.notBefore > 0 ? `is tried again at ${clock(last.notBefore)}` : "waits for a machine";
    return { ...blank, key, reason: reason === "" ? until : `${until}; failed before: ${reason}` };
  }
  const failed = last.state === "failed";
  const state: InstanceState = failed ? "failed" : "succeeded";
  return {
    ...blank,
    key: machine === "" ? key : `${machine}/${name}`,
    machine: known === undefined ? null : machine,
    machineName: known?.name ?? null,
    state,
    load: "loaded",
    active: failed ? "failed" : "inactive",
    sub: failed ? "failed" : "dead",
    health: failed ? "failed" : "stopped",
    invocation: last.invocation,
    since: last.ended,
    because: last.cause,
    placed: last.started === 0 ? null : last.started,
  };
}

function timerInstance(timer: TimerRecord, { units }: ClusterSnapshot): InstanceView {
  const { name, unit, hash, reason, next, target } = timer;
  const desired = units.get(unit)?.desired ?? "inactive";
  const blank = instanceWaiting({ name, unit, hash, desired, reason });
  const isStopped = desired !== "launched";
  const failed = reason !== "" && !isStopped;
  return {
    ...blank,
    state: isStopped ? "loaded" : failed ? "failed" : "healthy",
    load: "loaded",
    active: isStopped ? "inactive" : failed ? "failed" : "active",
    sub: isStopped ? "dead" : failed ? "failed" : next > 0 ? "waiting" : "elapsed",
    health: isStopped ? "stopped" : failed ? "failed" : "healthy",
    since: timer.activated,
    reason: isStopped ? "" : reason,
    because: next > 0 ? `starts ${target} at ${clock(next)}` : "",
  };
}

const clock = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
