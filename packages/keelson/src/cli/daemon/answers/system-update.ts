// The form of the machines’ operating systems and of the update of them.
import * as z from "zod/mini";
import type { SystemView } from "../../../api/wire/system-update.ts";
import { updateStepNames } from "../../../model/system-update.ts";
import { answer, text } from "./form.ts";

const bytes = z.looseObject({ done: z.number(), total: z.number() });

const system = z.looseObject({
  revision: z.number(),
  update: z.nullable(
    z.looseObject({
      operation: text,
      to: text,
      source: z.nullable(text),
      atOnce: z.number(),
      drainSeconds: z.nullable(z.number()),
      state: z.enum(["running", "paused", "halted", "done", "aborted"]),
      reason: text,
      done: z.number(),
      failed: z.number(),
      total: z.number(),
      started: z.number(),
      changed: z.number(),
    }),
  ),
  machines: z.array(
    z.looseObject({
      machine: text,
      name: text,
      up: z.boolean(),
      system: z.nullable(
        z.looseObject({
          version: text,
          variant: text,
          slot: z.enum(["a", "b"]),
          onTrial: z.boolean(),
          next: z.nullable(text),
          other: z.nullable(text),
          keepsStore: z.boolean(),
          failed: z.array(z.looseObject({ version: text, reason: text, at: z.number() })),
        }),
      ),
      step: z.nullable(
        z.looseObject({
          name: z.enum(updateStepNames),
          since: z.number(),
          reason: text,
          turn: z.number(),
          progress: z.nullable(bytes),
        }),
      ),
    }),
  ),
});

export const systemAnswer = answer<SystemView>(system);
