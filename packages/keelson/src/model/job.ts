// Units that run to their end: the run under way and the results of earlier ones; and timers of the cluster.
import * as z from "zod/mini";
import { moment, recordCodec } from "./record.ts";
import { sha256Pattern } from "./unit.ts";

/** Most results that are kept of a job. */
export const maxResults = 20;

const run = z.object({
  /** Told apart from every other run there was and will be. */
  id: z.string(),
  /** Counts the runs of the job, from 1. */
  number: z.int(),
  /** What started it, in words: "start backup.service", "backup.timer at 2026-01-05T03:00:00Z". */
  cause: z.string(),
  hash: z.string().check(z.regex(sha256Pattern)),
  /** From 1; more than 1 after a failure, and after the loss of the machine that it ran on. */
  attempt: z.int(),
  /** Attempts that failed. */
  failures: z.int(),
  /** Attempts whose machine was lost, or had to give the run up. */
  losses: z.int(),
  /** Counts the orders that it was given anew: each has an identity of its own. */
  orders: z.int(),
  state: z.enum(["waiting", "running", "succeeded", "failed"]),
  /** Machine id of the last attempt; empty before the first. */
  machine: z.string(),
  /** systemd's invocation of the last attempt, by which the journal finds it. */
  invocation: z.string(),
  /** Why it failed, in words, or what the last attempt failed of; empty otherwise. */
  reason: z.string(),
  /** Exit status of the last attempt, where there is one. */
  status: z.optional(z.int()),
  /** Unix milliseconds; 0 for what has not happened. */
  asked: moment,
  started: moment,
  ended: moment,
  /** When the next attempt begins; 0 for at once. */
  notBefore: moment,
});
export type JobRun = z.infer<typeof run>;

/** `jobs/<instance>`; for a global unit `jobs/<instance>@<machine>`. The newest run last. */
export const jobCodec = recordCodec(
  "job",
  z.object({
    /** The record's own name. */
    name: z.string(),
    instance: z.string(),
    unit: z.string(),
    /** Machine id, of a global unit; empty for others. */
    machine: z.string(),
    /** What has been asked for when the newest run of a person's was begun: the unit's `created`, its `restarts`. */
    created: moment,
    restarts: z.int(),
    launched: z.boolean(),
    runs: z.array(run).check(z.maxLength(maxResults + 1)),
  }),
);
export type Job = ReturnType<typeof jobCodec.decode>;

/** The record's name of an instance's runs; of a global unit's on one machine. */
export const jobName = (instance: string, machine = ""): string =>
  machine === "" ? instance : `${instance}@${machine}`;

/** The run that has not come to its end. */
export function openRun(job: Job | undefined): JobRun | undefined {
  const last = job?.runs.at(-1);
  return last?.state === "waiting" || last?.state === "running" ? last : undefined;
}

/** The run that is to be on a machine now: not one that waits for its next attempt. */
export function dueRun(job: Job | undefined): JobRun | undefined {
  const open = openRun(job);
  return open === undefined || open.notBefore > 0 ? undefined : open;
}

/** What an order for the run's present attempt says. A machine begins one only once. */
export const attemptOf = ({ id, orders }: JobRun): string => `${id}.${orders}`;

/** The reason of a timer that nobody has started. */
export const timerStopped = "it is stopped";

/** `timers/<name>`: when a timer of the cluster fired last, and when it fires next. */
export const timerCodec = recordCodec(
  "timer",
  z.object({
    name: z.string(),
    unit: z.string(),
    /** What it starts. */
    target: z.string(),
    hash: z.string().check(z.regex(sha256Pattern)),
    /** The unit's `created` and `restarts` when it was activated: another one is another timer. */
    created: moment,
    restarts: z.int(),
    /** Unix milliseconds. */
    activated: moment,
    /** Unix milliseconds; 0 for never. The time that was due, not the one at which it was noticed. */
    last: moment,
    /** When it fires next, random delay included, and the due time behind that. */
    next: moment,
    due: moment,
    /** Why it does not fire, in words; empty when it does. */
    reason: z.string(),
    /** What became of the last due time, in words: "started", "left out: the run before had not ended". */
    outcome: z.string(),
  }),
);
export type TimerRecord = ReturnType<typeof timerCodec.decode>;
