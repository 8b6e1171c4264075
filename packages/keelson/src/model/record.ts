// Records are JSON in the store. Reading validates: a damaged or foreign value is an error with its key.
import * as z from "zod/mini";
import { KeelError } from "../base/errors.ts";

/** Largest record that is read or written, in bytes. Unit bodies have their own limit. */
export const maxRecordBytes = 1 << 20;

/** The furthest from 1970 that a date can be, in milliseconds. */
export const furthestMs = 8.64e15;
/** Unix milliseconds that are a date. */
export const moment = z.number().check(z.gte(-furthestMs), z.lte(furthestMs));

export interface RecordCodec<T> {
  readonly kind: string;
  decode(key: string, value: Uint8Array): T;
  encode(record: T): string;
}

/** Refuses (KEEL-402) a record that lies under the name of another: whoever asks for that name would get this one. */
export function checkName(key: string, { own, name }: { readonly own: string; readonly name: string }): void {
  if (own !== name)
    throw new KeelError("KEEL-402", `${key}: the record is that of ${JSON.stringify(own.slice(0, 300))}`);
}

/** A codec for one kind of record. Unknown fields are kept out, missing and malformed ones refused. */
export function recordCodec<S extends z.ZodMiniType>(kind: string, schema: S): RecordCodec<z.infer<S>> {
  return {
    kind,
    decode(key, value) {
      if (value.byteLength > maxRecordBytes)
        throw new KeelError("KEEL-402", `${key}: a ${kind} record of ${value.byteLength} bytes`);
      let json: unknown;
      try {
        json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(value));
      } catch (cause) {
        throw new KeelError("KEEL-402", `${key}: no ${kind} record (${(cause as Error).message})`, { cause });
      }
      const result = schema.safeParse(json);
      if (!result.success)
        throw new KeelError("KEEL-402", `${key}: no ${kind} record: ${z.prettifyError(result.error)}`);
      return result.data;
    },
    encode: (record) => JSON.stringify(record),
  };
}
