// Records are JSON in the store. Reading validates: a damaged or foreign value is an error with its key.
import * as z from "zod/mini";
import { KeelError } from "../base/errors.ts";

/** Largest record that is read or written, in bytes. Unit bodies have their own limit. */
export const maxRecordBytes = 1 << 20;

export interface RecordCodec<T> {
  readonly kind: string;
  decode(key: string, value: Uint8Array): T;
  encode(record: T): string;
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
