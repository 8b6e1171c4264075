// When a unit was started last, and when it has ended last: what OnUnitActiveSec= and OnUnitInactiveSec= count from.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { openRun } from "../model/job.ts";

export interface UnitPast {
  /** Unix milliseconds; 0 for never, and both while a run has not ended. */
  readonly started: number;
  readonly ended: number;
}

const never: UnitPast = { started: 0, ended: 0 };

export function pastOfUnit(instance: string, { jobs, statuses, schedule }: ClusterSnapshot): UnitPast {
  const runs = [...jobs.values()].filter((job) => job.instance === instance);
  if (runs.length > 0) {
    if (runs.some((job) => openRun(job) !== undefined)) return never;
    const last = runs.flatMap((job) => job.runs.at(-1) ?? []);
    const started = Math.max(0, ...last.map((run) => run.started || run.ended));
    return { started, ended: Math.max(0, ...last.map(({ ended }) => ended)) };
  }
  for (const [machine, reported] of statuses) {
    const status = reported.get(instance);
    if (status === undefined || schedule.get(machine)?.has(instance) !== true) continue;
    const started = status.steps["active"] ?? 0;
    const isUp = status.active !== "inactive" && status.active !== "failed";
    return isUp ? { started, ended: 0 } : { started, ended: started === 0 ? 0 : status.since };
  }
  return never;
}
