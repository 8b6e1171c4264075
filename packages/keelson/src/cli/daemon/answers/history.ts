// The forms of what happened.
import * as z from "zod/mini";
import type { TimelineView, HistoryStart, EventView } from "../../../api/wire/history.ts";
import { answer, strings, text } from "./form.ts";

const timeline = z.looseObject({
  revision: z.number(),
  unit: text,
  instances: z.array(
    z.looseObject({
      name: text,
      machine: text,
      machineName: text,
      operation: z.nullable(z.looseObject({ id: text, who: text, at: z.number() })),
      steps: z.array(
        z.looseObject({
          kind: text,
          at: z.number(),
          afterMs: z.number(),
          tookMs: z.number(),
          text,
          why: text,
        }),
      ),
      totalMs: z.number(),
      isDone: z.boolean(),
      reason: text,
    }),
  ),
});

const historyLine = z.union([
  z.looseObject({
    revision: z.number(),
    at: z.number(),
    exact: z.boolean(),
    kind: text,
    units: strings,
    machine: text,
    machineName: text,
    text,
    why: text,
    operation: text,
    who: text,
    afterMs: z.nullable(z.number()),
  }),
  z.looseObject({
    cluster: text,
    since: z.number(),
    firstAt: z.nullable(z.number()),
    leftOut: z.number(),
  }),
]);

export const timelineAnswer = answer<TimelineView>(timeline);

export const historyLineAnswer = answer<HistoryStart | EventView>(historyLine);
