// The form of units that run to their end.
import * as z from "zod/mini";
import type { JobsView } from "../../../api/wire/job.ts";
import { answer, text, time } from "./form.ts";

const run = z.looseObject({
  number: z.number(),
  cause: text,
  state: z.enum(["waiting", "running", "succeeded", "failed"]),
  attempt: z.number(),
  failures: z.number(),
  losses: z.number(),
  machine: z.nullable(text),
  machineName: z.nullable(text),
  hash: text,
  invocation: text,
  reason: text,
  status: z.nullable(z.number()),
  asked: z.number(),
  started: time,
  ended: time,
  notBefore: time,
});

const jobs = z.looseObject({
  revision: z.number(),
  jobs: z.array(
    z.looseObject({
      name: text,
      instance: text,
      unit: text,
      machine: z.nullable(text),
      machineName: z.nullable(text),
      runs: z.array(run),
    }),
  ),
});

export const jobsAnswer = answer<JobsView>(jobs);
