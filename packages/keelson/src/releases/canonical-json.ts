// JSON of which there is one way only to write it: what JSON.stringify makes of what was read must be what was
// read, but for one newline at the end. Keys twice, trailing data, other spellings of a number or a character, blanks
// and byte order marks all differ from that and are refused, so that no two programs can read a file differently.
import * as z from "zod/mini";
import { refuse } from "./refusal.ts";

/** Reads, checks the form, and bounds the size. Throws KEEL-821 and nothing else, whatever the bytes are. */
export function parseCanonical<T>(
  bytes: Uint8Array,
  {
    shape,
    what,
    limit,
  }: { readonly shape: z.core.$ZodType<T>; readonly what: string; readonly limit: number },
): T {
  if (bytes.byteLength > limit) refuse("KEEL-821", `${what} has more than ${limit} bytes`);
  const value = parseExactly(bytes, what);
  const result = z.safeParse(shape, value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue?.path.map(String).join(".") ?? "";
  const fault = issue?.code === "unrecognized_keys" ? `unknown ${issue.keys.join(", ")}` : issue?.message;
  return refuse("KEEL-821", `${what} has another form: ${place === "" ? "" : `${place}: `}${fault ?? ""}`);
}

export function stringifyCanonical(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

function parseExactly(bytes: Uint8Array, what: string): unknown {
  let value: unknown;
  let again: string | undefined;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
    again = JSON.stringify(value);
  } catch {
    return refuse("KEEL-821", `${what} is no JSON`);
  }
  if (text !== again && text !== `${again}\n`)
    refuse(
      "KEEL-821",
      `${what} is not written the one way that is read (a key twice, or more after its end?)`,
    );
  return value;
}
