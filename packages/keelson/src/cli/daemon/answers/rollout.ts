// The forms of a unit’s versions and their rollouts.
import * as z from "zod/mini";
import type { RolloutView, VersionView } from "../../../api/wire/rollout.ts";
import { rolloutStates } from "../../../model/rollout.ts";
import { answer, strings, text } from "./form.ts";

export const rolloutState = z.enum(rolloutStates);

const version = z.looseObject({
  number: z.number(),
  hash: text,
  operation: z.nullable(text),
  who: text,
  at: z.number(),
  current: z.boolean(),
  rolling: z.boolean(),
  instances: z.number(),
  failed: z.nullable(text),
});

const rolloutEnd = z.looseObject({ number: z.number(), hash: text });

const rollout = z.looseObject({
  unit: text,
  operation: text,
  state: rolloutState,
  from: rolloutEnd,
  to: rolloutEnd,
  updated: z.number(),
  total: z.number(),
  batch: strings,
  waitsFor: text,
  reason: text,
  started: z.number(),
  changed: z.number(),
});

export const rolloutsAnswer = answer<{ rollouts: readonly RolloutView[] }>(
  z.looseObject({ rollouts: z.array(rollout) }),
);

export const versionsAnswer = answer<{ versions: readonly VersionView[] }>(
  z.looseObject({ versions: z.array(version) }),
);
