// How far a start has come of what has no place of its own: a unit that runs to its end is there when its run has
// ended, a timer of the cluster when the leader waits for its time.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { type Job, openRun, timerStopped } from "../model/job.ts";
import { restartsOf } from "../model/instances.ts";
import type { Unit } from "../model/unit.ts";
import type { ProgressItem, Waiting } from "./progress-item.ts";

export interface RunVerdict extends Pick<ProgressItem, "machine" | "state" | "reason"> {
  /** Unix milliseconds of the state. */
  readonly at: number;
}

/** `undefined` for an instance without runs, and for one that is not to run. */
export function jobVerdicts(
  instance: string,
  unit: Unit,
  {
    snapshot,
    waiting,
    nameOf,
  }: {
    readonly snapshot: Pick<ClusterSnapshot, "jobs">;
    readonly waiting: Waiting | undefined;
    readonly nameOf: (machine: string) => string;
  },
): RunVerdict[] | undefined {
  if (unit.desired !== "launched") return undefined;
  const own = snapshot.jobs.get(instance);
  const jobs =
    own === undefined ? [...snapshot.jobs.values()].filter((job) => job.instance === instance) : [own];
  if (jobs.length === 0) return undefined;
  return jobs.map((job) => verdictOn(job, unit, { waiting, nameOf }));
}

function verdictOn(
  job: Job,
  unit: Unit,
  {
    waiting,
    nameOf,
  }: { readonly waiting: Waiting | undefined; readonly nameOf: (machine: string) => string },
): RunVerdict {
  const run = job.runs.at(-1);
  const machine = run?.machine || job.machine || undefined;
  const pending = (reason: string): RunVerdict => ({ machine, state: "pending", reason, at: 0 });
  if (
    run === undefined ||
    !job.launched ||
    job.created !== unit.created ||
    job.restarts < restartsOf(unit, job.instance)
  )
    return pending("waits for the leader");
  const { state, reason, ended: at, attempt, notBefore } = run;
  if (state === "succeeded") return { machine, state: "ready", reason: "", at };
  if (state === "failed") return { machine, state: "failed", reason, at };
  if (waiting?.final === true && openRun(job)?.machine === "")
    return { machine, state: "failed", reason: waiting.reason, at: 0 };
  const times = attempt === 1 ? "" : `, attempt ${attempt}`;
  if (state === "running") return pending(`runs on ${nameOf(run.machine)}${times}`);
  if (notBefore > 0) return pending(`is tried again${times}; it failed: ${reason}`);
  const before = reason === "" ? "" : `; it failed: ${reason}`;
  return pending(waiting?.reason || `waits for a machine${times}${before}`);
}

/** `undefined` for what is no timer of the cluster, and for one that is not to run. */
export function timerVerdicts(
  instance: string,
  { desired, created, hash }: Unit,
  { timers }: Pick<ClusterSnapshot, "timers">,
): RunVerdict[] | undefined {
  const timer = timers.get(instance);
  if (timer === undefined || desired === "inactive") return undefined;
  const common = { machine: undefined, at: timer.activated };
  if (desired === "loaded") return [{ ...common, state: "ready", reason: "" }];
  if (timer.created !== created || timer.hash !== hash || timer.reason === timerStopped)
    return [{ ...common, state: "pending", reason: "waits for the leader" }];
  return timer.reason === ""
    ? [{ ...common, state: "ready", reason: "" }]
    : [{ ...common, state: "failed", reason: timer.reason }];
}
