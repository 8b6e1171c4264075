// The form of an instance: of a unit on a machine.
import * as z from "zod/mini";
import { desired, strings, text } from "./form.ts";

export const instance = z.looseObject({
  key: text,
  name: text,
  unit: text,
  machine: z.nullable(text),
  machineName: z.nullable(text),
  desired,
  state: text,
  load: text,
  active: text,
  sub: text,
  health: text,
  hash: text,
  invocation: text,
  since: z.nullable(z.number()),
  restarts: z.number(),
  reason: text,
  because: text,
  addresses: strings,
  placed: z.nullable(z.number()),
  steps: z.record(text, z.number()),
  companion: z.boolean(),
  unenforced: z.optional(strings),
});
