// Writes header blocks (RFC 7541, 6): literals that leave the other end's table as it is.

import { STATIC_COUNT, STATIC_FIELDS } from "./static-table.ts";

/** First index of the dynamic table. */
export const FIRST_DYNAMIC: number = STATIC_COUNT + 1;
/** A new size of the table: nothing is kept (6.3). */
export const NO_TABLE = "\x20";

const STATIC_NAMES: ReadonlyMap<string, number> = new Map(
  STATIC_FIELDS.flatMap((text, place) =>
    place % 2 === 0 ? [[text, place / 2 + 1] as const] : [],
  ).toReversed(),
);

/** A field that stands in a table (6.1). */
export function indexed(index: number): string {
  return integer(index, 7, 0x80);
}

/** A field in words. Text is bytes, a character each. `isKept` has the other end put it into its table. */
export function literal(name: string, value: string, isKept = false): string {
  const index = STATIC_NAMES.get(name) ?? 0;
  const head = isKept ? integer(index, 6, 0x40) : integer(index, 4, 0);
  return head + (index === 0 ? text(name) : "") + text(value);
}

/** A `:status`. */
export function status(code: number): string {
  const place = STATIC_FIELDS.findIndex(
    (name, at) => name === ":status" && STATIC_FIELDS[at + 1] === String(code),
  );
  return place < 0 ? literal(":status", String(code)) : indexed(place / 2 + 1);
}

function text(bytes: string): string {
  return integer(bytes.length, 7, 0) + bytes;
}

function integer(value: number, bits: number, pattern: number): string {
  const full = (1 << bits) - 1;
  if (value < full) return String.fromCharCode(pattern | value);
  let bytes = String.fromCharCode(pattern | full);
  let rest = value - full;
  for (; rest >= 0x80; rest >>>= 7) bytes += String.fromCharCode((rest & 0x7f) | 0x80);
  return bytes + String.fromCharCode(rest);
}
