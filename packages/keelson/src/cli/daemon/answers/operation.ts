// The forms of changes: planned, under way and made.
import * as z from "zod/mini";
import type { PlanView, OperationView, OperationSummary, ProgressView } from "../../../api/wire/operation.ts";
import { answer, strings, text, words } from "./form.ts";
import { rolloutState } from "./rollout.ts";
import { change } from "./unit.ts";

const impact = z.looseObject({
  affected: z.number(),
  total: z.number(),
  percent: z.number(),
  instances: z.number(),
  reversible: text,
});

export const operationSummary = z.looseObject({
  id: text,
  summary: text,
  kind: text,
  who: text,
  via: text,
  at: z.number(),
  expires: z.number(),
  state: text,
  impact,
  units: z.number(),
  records: z.optional(z.number()),
  undoOf: z.nullable(text),
  undoneBy: z.nullable(text),
});

const forecast = z.looseObject({
  machines: words,
  moves: z.array(
    z.looseObject({
      instance: text,
      from: text,
      to: z.optional(text),
      because: text,
      isDown: z.boolean(),
    }),
  ),
  stranded: z.array(z.looseObject({ instance: text, from: text, reason: text })),
  isLastMachine: z.boolean(),
});

const plan = z.looseObject({
  kind: text,
  summary: text,
  changes: z.array(change),
  impact,
  unchanged: strings,
  notes: strings,
  records: z.optional(z.array(z.unknown())),
  forecast: z.optional(forecast),
});

const operation = z.looseObject({
  ...operationSummary.shape,
  changes: z.array(change),
  notes: z.optional(strings),
});

const progress = z.looseObject({
  done: z.boolean(),
  outcome: z.enum(["running", "succeeded", "partly", "failed"]),
  items: z.array(
    z.looseObject({
      instance: text,
      unit: text,
      machine: z.nullish(text),
      want: z.enum(["active", "restarted", "loaded", "gone", "moved", "updated"]),
      state: z.enum(["pending", "ready", "failed"]),
      reason: text,
      ms: z.number(),
    }),
  ),
  rollouts: z.array(
    z.looseObject({
      unit: text,
      state: rolloutState,
      from: z.number(),
      to: z.number(),
      updated: z.number(),
      total: z.number(),
      batch: z.number(),
      waitsFor: text,
      reason: text,
    }),
  ),
});

export const planAnswer = answer<PlanView>(plan);

export const operationAnswer = answer<OperationView>(operation);

export const operationsAnswer = answer<{ operations: readonly OperationSummary[] }>(
  z.looseObject({ operations: z.array(operationSummary) }),
);

export const progressAnswer = answer<ProgressView>(progress);
