// Units that run to their end: the run under way and the results of earlier ones; and timers of the cluster.
import * as z from "zod/mini";
import { recordCodec } from "./record.ts";
import { sha256Pattern } from "./unit.ts";

/** Most results that are kept of a job. */
export const maxResults = 20;

const run = z.object({
  /** Counts the runs of the job, from 1. */
  number: z.int(),
  /** What started it, in words: "keel start", "backup.timer at 2026-01-05T03:00:00Z". */
  cause: z.string(),
  hash: z.string().check(z.regex(sha256Pattern)),
  /** From 1; more than 1 after a failure. */
  attempt: z.int(),
  state: z.enum(["waiting", "running", "succeeded", "failed"]),
  /** Machine id of the last attempt; empty before the first. */
  machine: z.string(),
  /** systemd's invocation of the last attempt, by which the journal finds it. */
  invocation: z.string(),
  /** Why it failed, in words; empty otherwise. */
  reason: z.string(),
  /** Unix milliseconds; 0 for what has not happened. */
  asked: z.number(),
  started: z.number(),
  ended: z.number(),
  /** When the next attempt begins; 0 for at once. */
  notBefore: z.number(),
});
export type JobRun = z.infer<typeof run>;

/** `jobs/<instance>`; for a global unit `jobs/<instance>@<machine>`. The newest run last. */
export const jobCodec = recordCodec(
  "job",
  z.object({ name: z.string(), unit: z.string(), runs: z.array(run).check(z.maxLength(maxResults + 1)) }),
);
export type Job = ReturnType<typeof jobCodec.decode>;

/** `timers/<name>`: when a timer of the cluster fired last, and when it fires next. */
export const timerCodec = recordCodec(
  "timer",
  z.object({
    name: z.string(),
    hash: z.string().check(z.regex(sha256Pattern)),
    /** Unix milliseconds; 0 for never. */
    last: z.number(),
    next: z.number(),
    /** Why it does not fire, in words; empty when it does. */
    reason: z.string(),
  }),
);
export type TimerRecord = ReturnType<typeof timerCodec.decode>;
