// Runs and timers as people see them: with the names of machines.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Job, JobRun, TimerRecord } from "../../model/job.ts";
import type { JobView, RunView } from "../wire/job.ts";
import type { TimerView } from "../wire/timer.ts";

type Machines = Pick<ClusterSnapshot, "machines" | "members">;

export function jobView(job: Job, machines: Machines): JobView {
  const { name, instance, unit, machine, runs } = job;
  return {
    name,
    instance,
    unit,
    machine: machine === "" ? null : machine,
    machineName: nameOf(machine, machines),
    runs: runs.map((run) => runView(run, machines)).toReversed(),
  };
}

function runView(run: JobRun, machines: Machines): RunView {
  const { number, cause, hash, attempt, failures, losses, state, machine, invocation, reason, status } = run;
  return {
    number,
    cause,
    state,
    attempt,
    failures,
    losses,
    machine: machine === "" ? null : machine,
    machineName: nameOf(machine, machines),
    hash,
    invocation,
    reason,
    status: status ?? null,
    asked: run.asked,
    started: orNull(run.started),
    ended: orNull(run.ended),
    notBefore: orNull(run.notBefore),
  };
}

export function timerView(timer: TimerRecord, { units }: Pick<ClusterSnapshot, "units">): TimerView {
  const { name, unit, target, activated, last, next, due, reason, outcome } = timer;
  return {
    name,
    unit,
    target,
    desired: units.get(unit)?.desired ?? "inactive",
    activated: orNull(activated),
    last: orNull(last),
    outcome,
    next: orNull(next),
    due: orNull(due),
    reason,
  };
}

const orNull = (ms: number): number | null => (ms === 0 ? null : ms);

const nameOf = (id: string, { machines, members }: Machines): string | null =>
  id === "" ? null : (machines.get(id)?.name ?? members.get(id)?.name ?? id.slice(0, 8));
