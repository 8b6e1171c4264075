// One run of a unit that runs to its end: how it begins, goes on, is tried again, and ends. Pure.
import { type Job, type JobRun, maxResults, openRun } from "../model/job.ts";
import type { BatchRules } from "../model/placement/rules.ts";
import type { UnitStatus } from "../model/schedule.ts";

/** A run that loses its machine more often than this has a hand in it, and is not tried again. */
export const mostLosses = 5;
/** Between two attempts there is at most this time, or RetryDelay= where that is longer. */
const longestDelayMs = 3_600_000;
const mostCause = 300;

export interface Beginning {
  readonly id: string;
  readonly cause: string;
  readonly hash: string;
  readonly wallMs: number;
}

/** The job with a run that waits for a machine. */
export function beginRun(job: Job, { id, cause, hash, wallMs }: Beginning): Job {
  const begun: JobRun = {
    id,
    number: (job.runs.at(-1)?.number ?? 0) + 1,
    cause: cause.slice(0, mostCause),
    hash,
    attempt: 1,
    failures: 0,
    losses: 0,
    orders: 0,
    state: "waiting",
    machine: "",
    invocation: "",
    reason: "",
    asked: wallMs,
    started: 0,
    ended: 0,
    notBefore: 0,
  };
  return { ...job, runs: [...job.runs.slice(-maxResults), begun] };
}

/** The job with its open run ended without success. */
export function giveUp(job: Job, reason: string, wallMs: number): Job {
  const open = openRun(job);
  if (open === undefined) return job;
  return withRun(job, { ...open, state: "failed", reason, ended: wallMs, notBefore: 0 });
}

/** The job with this in the place of its newest run; of ended ones the last 20 are kept. */
export function withRun(job: Job, run: JobRun): Job {
  const before = job.runs.slice(0, -1);
  const isOpen = run.state === "waiting" || run.state === "running";
  return { ...job, runs: [...before.slice(isOpen ? -maxResults : -maxResults + 1), run] };
}

export interface Carrier {
  /** Machine id. */
  readonly machine: string;
  /** The attempt that its order names. */
  readonly attempt: string;
  /** When it got the order. */
  readonly placed: number;
  /** Its report about this very attempt. */
  readonly status: UnitStatus | undefined;
}

/** What the machine that has the order makes of the run. */
export function follow(
  run: JobRun,
  carrier: Carrier,
  { batch, wallMs }: { readonly batch: BatchRules; readonly wallMs: number },
): JobRun {
  const here = arrive(run, carrier);
  const { status } = carrier;
  if (status === undefined || here.state !== "running") return here;
  const invocation = status.invocation === "" ? here.invocation : status.invocation;
  const started = status.steps["started"] ?? here.started;
  const seen: JobRun = { ...here, invocation, started };
  const { ended } = status;
  if (ended === undefined) return seen;
  const { status: code } = ended;
  if (ended.givenUp === true) return again(lost(seen, wallMs), 0);
  const outcome = { ...seen, ended: ended.at, ...(code === undefined ? {} : { status: code }) };
  if (ended.result === "succeeded") return { ...outcome, state: "succeeded", reason: "" };
  return failed({ ...outcome, reason: status.reason || "failed" }, batch, wallMs);
}

/** The order is on this machine: for the first time, or because another was lost. */
function arrive(run: JobRun, { machine, placed }: Carrier): JobRun {
  if (run.state === "running" && run.machine === machine) return run;
  const before = run.state === "running" ? lost(run, placed) : run;
  return before.state === "failed"
    ? before
    : { ...before, state: "running", machine, started: placed, invocation: "" };
}

/** Its machine is gone, or gave it up. */
function lost(run: JobRun, atMs: number): JobRun {
  const losses = run.losses + 1;
  const next = { ...run, losses, attempt: run.failures + losses + 1 };
  if (losses <= mostLosses) return next;
  const reason = `${losses} machines were lost, or gave it up, while it ran there`;
  return { ...next, state: "failed", reason, ended: atMs };
}

/** Another attempt, by an order of its own. */
function again(run: JobRun, notBefore: number): JobRun {
  if (run.state === "failed") return run;
  const { failures, losses, orders } = run;
  return { ...run, orders: orders + 1, attempt: failures + losses + 1, state: "waiting", notBefore };
}

/** The run with its next attempt no later than that may be: a leader with a wrong clock may have said when. */
export function withinReason(run: JobRun, { retryDelayMs }: BatchRules, wallMs: number): JobRun {
  const latest = wallMs + delayAfter(run.failures, retryDelayMs);
  return run.notBefore > latest ? { ...run, notBefore: latest } : run;
}

/** Doubles with each failure. */
function delayAfter(failures: number, retryDelayMs: number): number {
  const longest = Math.max(longestDelayMs, retryDelayMs);
  return Math.min(longest, retryDelayMs * 2 ** Math.min(Math.max(0, failures - 1), 30));
}

function failed(run: JobRun, { retries, retryDelayMs }: BatchRules, wallMs: number): JobRun {
  const failures = run.failures + 1;
  if (failures > retries) return { ...run, failures, state: "failed" };
  const delayMs = delayAfter(failures, retryDelayMs);
  return again({ ...run, failures }, delayMs === 0 ? 0 : wallMs + delayMs);
}
