// Runs of units that run to their end, as rows of a table.
import type { JobView, RunView } from "../api/wire/job.ts";
import { formatAge, formatDuration } from "./duration.ts";
import { type Column, shortHash, shortId } from "./table.ts";

/** A run with the job that it is one of. */
export interface RunRow extends RunView {
  readonly instance: string;
  readonly unit: string;
}

export const runRows = ({ instance, unit, runs }: JobView): RunRow[] =>
  runs.map((run) => ({ ...run, instance, unit }));

export const runColumns = (now: number): readonly Column<RunRow>[] => [
  { name: "unit", cell: (run) => run.instance },
  { name: "run", cell: (run) => String(run.number) },
  { name: "state", cell: (run) => run.state },
  { name: "machine", cell: (run) => run.machineName ?? "" },
  { name: "attempts", cell: (run) => String(run.attempt) },
  { name: "started", cell: (run) => (run.started === null ? "" : formatAge(run.started, now)) },
  { name: "took", cell: (run) => durationOf(run, now) },
  { name: "status", cell: (run) => (run.status === null ? "" : String(run.status)) },
  { name: "cause", cell: (run) => run.cause },
  { name: "reason", cell: (run) => run.reason },
  { name: "asked", cell: (run) => formatAge(run.asked, now) },
  {
    name: "next",
    cell: (run) => (run.notBefore === null ? "" : `in ${formatDuration(run.notBefore - now)}`),
  },
  { name: "failures", cell: (run) => String(run.failures) },
  { name: "losses", cell: (run) => String(run.losses) },
  { name: "hash", cell: (run, look) => shortHash(run.hash, look) },
  { name: "invocation", cell: (run, look) => shortId(run.invocation, look) },
];

/** Of the last attempt. */
function durationOf({ state, started, ended }: RunRow, now: number): string {
  if (started === null || state === "waiting") return "";
  return formatDuration(Math.max(0, (state === "running" ? now : (ended ?? now)) - started));
}
