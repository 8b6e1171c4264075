// The forms of what answers why.
import * as z from "zod/mini";
import type { WhyView, WhyMachineView } from "../../../api/wire/reasons.ts";
import { answer, strings, text } from "./form.ts";

const reasons = z.array(z.looseObject({ topic: text, text }));

const whyMachine = z.looseObject({
  revision: z.number(),
  id: text,
  name: text,
  reasons,
  has: z.array(z.looseObject({ instance: text, because: text, state: text, stays: text })),
  refuses: z.array(z.looseObject({ instance: text, reason: text })),
});

const why = z.looseObject({
  revision: z.number(),
  unit: text,
  leftOut: z.number(),
  instances: z.array(
    z.looseObject({
      name: text,
      on: strings,
      because: text,
      waitsFor: text,
      reasons,
      machines: z.array(
        z.looseObject({ id: text, name: text, current: z.boolean(), fits: z.boolean(), reasons: strings }),
      ),
    }),
  ),
});

export const whyAnswer = answer<WhyView>(why);

export const whyMachineAnswer = answer<WhyMachineView>(whyMachine);
