// Units that run to their end are placed for a run, and are wanted nowhere before and after it.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { dueRun, type JobRun } from "../model/job.ts";

/** What is due of one instance: one run, or of a global unit one on each of these machines. */
export interface DueRuns {
  readonly run: JobRun;
  /** By machine id; `undefined` for a unit that is not global. */
  readonly runs: ReadonlyMap<string, JobRun> | undefined;
}

/** By instance. */
export function dueRuns({ jobs }: Pick<ClusterSnapshot, "jobs">): ReadonlyMap<string, DueRuns> {
  const due = new Map<string, { run: JobRun; runs: Map<string, JobRun> | undefined }>();
  for (const job of jobs.values()) {
    const run = dueRun(job);
    if (run === undefined) continue;
    const known = due.get(job.instance);
    if (job.machine === "") due.set(job.instance, { run, runs: undefined });
    else if (known === undefined) due.set(job.instance, { run, runs: new Map([[job.machine, run]]) });
    else known.runs?.set(job.machine, run);
  }
  return due;
}
