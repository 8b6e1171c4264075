// What the forms of the answers are made of. A form says of an answer what `keel` relies on; fields that it does not
// name pass.
import * as z from "zod/mini";

/** Checks an answer. */
export interface Answer<T> {
  safeParse(json: unknown): { success: true; data: T } | { success: false; error: z.core.$ZodError };
}

export const text = z.string();
export const strings = z.array(text);
export const words = z.record(text, text);
export const desired = z.enum(["inactive", "loaded", "launched"]);
export const time = z.nullable(z.number());

/** The check of an answer in the type that the API declares for it. */
export const answer = <T>(schema: z.ZodMiniType): Answer<T> => schema as unknown as Answer<T>;
