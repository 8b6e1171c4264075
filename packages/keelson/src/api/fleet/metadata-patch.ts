// PATCH /machines: a JSON patch over /<machine>/metadata/<key>. The value is a string, as fleet's documentation has
// it, or {"value": string}, as its server took it.
import * as z from "zod/mini";
import { KeelError } from "../../base/errors.ts";

const maxOperations = 1000;

const patchSchema = z
  .array(
    z.object({
      op: z._default(z.string(), ""),
      path: z._default(z.string(), ""),
      value: z.optional(z.nullable(z.union([z.string(), z.object({ value: z._default(z.string(), "") })]))),
    }),
  )
  .check(z.maxLength(maxOperations));

const pathPattern = /^\/([^/]{1,255})\/metadata\/([A-Za-z0-9_.-]{1,256})$/;

/** By machine, the metadata to set; the empty value takes a key away. KEEL-583 with fleet's words for a bad patch. */
export function readMetadataPatch(json: unknown): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const read = patchSchema.safeParse(json);
  if (!read.success) throw refusal(`the patch is no list of operations: ${z.prettifyError(read.error)}`);
  const byMachine = new Map<string, Record<string, string>>();
  for (const { op, path, value } of read.data) {
    if (op !== "add" && op !== "remove" && op !== "replace")
      throw refusal("invalid op: expect add, remove, or replace");
    const [, machine, key] = pathPattern.exec(path) ?? [];
    if (machine === undefined || key === undefined) throw refusal("machine metadata path invalid");
    const text = typeof value === "string" ? value : (value?.value ?? "");
    if (op !== "remove" && text === "") throw refusal("invalid value: add and replace require a value");
    byMachine.set(machine, { ...byMachine.get(machine), [key]: op === "remove" ? "" : text });
  }
  return byMachine;
}

const refusal = (reason: string): KeelError => new KeelError("KEEL-583", reason.slice(0, 1000));
