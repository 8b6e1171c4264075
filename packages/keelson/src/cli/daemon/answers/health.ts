// The form of what a daemon says of itself.
import * as z from "zod/mini";
import type { HealthView } from "../../../api/wire/health.ts";
import { answer, strings, text } from "./form.ts";

export const healthAnswer = answer<HealthView>(
  z.looseObject({
    cluster: text,
    machine: z.looseObject({ id: text, name: text, address: text }),
    roles: strings,
    version: text,
    contact: z.looseObject({ machine: text, hasContact: z.boolean(), ageMs: z.nullable(z.number()) }),
  }),
);
