// The forms of what the API foretells.
import * as z from "zod/mini";
import type { WhatIfView, SurvivabilityView } from "../../../api/wire/foretelling.ts";
import { answer, strings, text } from "./form.ts";

const survivability = z.looseObject({
  answer: z.nullable(z.enum(["yes", "no"])),
  isCurrent: z.boolean(),
  revision: z.number(),
  at: z.nullable(z.number()),
  words: text,
  indispensable: z.array(
    z.looseObject({ machine: text, name: text, instance: text, reason: text, instances: z.number() }),
  ),
  isCut: z.boolean(),
  machines: z.number(),
  store: z.array(z.looseObject({ machine: text, name: text, reason: text })),
});

const load = z.looseObject({ instances: z.number(), memoryBytes: z.number(), cpus: z.number() });

const whatIf = z.looseObject({
  revision: z.number(),
  supposed: text,
  moves: z.array(z.looseObject({ instance: text, from: strings, to: strings, because: text })),
  unplaced: z.array(z.looseObject({ instance: text, from: strings, reason: text, already: z.boolean() })),
  stays: z.array(z.looseObject({ instance: text, reason: text })),
  machines: z.array(z.looseObject({ id: text, name: text, state: text, before: load, after: load })),
  alarms: strings,
  fits: z.boolean(),
  settled: z.boolean(),
});

export const whatIfAnswer = answer<WhatIfView>(whatIf);

export const survivabilityAnswer = answer<SurvivabilityView>(survivability);
