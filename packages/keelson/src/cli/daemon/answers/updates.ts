// The form of what the update service says of a machine.
import * as z from "zod/mini";
import type { UpdateWhyView } from "../../../api/wire/updates.ts";
import { answer, text } from "./form.ts";

export const updateWhyAnswer = answer<UpdateWhyView>(
  z.looseObject({
    machines: z.array(
      z.looseObject({
        application: text,
        group: text,
        machine: text,
        alias: text,
        address: text,
        version: text,
        state: text,
        seen: z.number(),
        code: text,
        sentence: text,
      }),
    ),
  }),
);
