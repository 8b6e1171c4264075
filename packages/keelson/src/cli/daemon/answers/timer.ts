// The form of timers of the cluster.
import * as z from "zod/mini";
import type { TimersView } from "../../../api/wire/timer.ts";
import { answer, desired, text, time } from "./form.ts";

const timers = z.looseObject({
  revision: z.number(),
  timers: z.array(
    z.looseObject({
      name: text,
      unit: text,
      target: text,
      desired,
      activated: time,
      last: time,
      outcome: text,
      next: time,
      due: time,
      reason: text,
    }),
  ),
});

export const timersAnswer = answer<TimersView>(timers);
