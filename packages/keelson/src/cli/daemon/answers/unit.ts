// The form of a unit.
import * as z from "zod/mini";
import { desired, text } from "./form.ts";

export const unit = z.looseObject({
  name: text,
  desired,
  state: text,
  reason: text,
  hash: text,
  replicas: z.number(),
  wanted: z.number(),
  healthy: z.number(),
  restarts: z.number(),
  generation: z.number(),
  owner: text,
  created: z.number(),
  changed: z.number(),
});

const unitRecord = z.looseObject({
  name: text,
  desired,
  hash: text,
  replicas: z.number(),
  restarts: z.number(),
});

export const change = z.looseObject({
  unit: text,
  before: z.optional(unitRecord),
  after: z.optional(unitRecord),
});
