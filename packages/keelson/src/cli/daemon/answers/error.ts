// The form of an error of the API.
import * as z from "zod/mini";
import { answer, text } from "./form.ts";

export const errorAnswer = answer<{ error: { code: string; message: string } }>(
  z.object({
    error: z.object({
      code: text,
      message: text,
      hint: z.optional(text),
      details: z.optional(z.record(text, z.unknown())),
    }),
  }),
);
