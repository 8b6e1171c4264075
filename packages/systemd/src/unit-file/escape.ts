import { SystemdError } from "../error.ts";

/** What an escape sequence stands for: a character, or one byte of UTF-8 (`\xHH` and octal). */
export type Unescaped = {
  /** Length of the sequence after the backslash. */
  readonly length: number;
} & ({ readonly character: string } | { readonly byte: number });

const SIMPLE: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
  "'": "'",
  s: " ",
};

const NUMERIC = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})/y;

/**
 * Reads the C escape whose backslash stands before `at`, by the table of systemd.syntax(7).
 * @throws SystemdError `invalid-value` for an unknown sequence, NUL, or what is no Unicode character.
 */
export function readEscape(text: string, at: number): Unescaped {
  const simple = SIMPLE[text[at] ?? ""];
  if (simple !== undefined) return { length: 1, character: simple };
  NUMERIC.lastIndex = at;
  const match = NUMERIC.exec(text);
  if (match === null) return refuse(text, at, "is no escape sequence");
  const [sequence, hex, short, long, octal] = match;
  const length = sequence.length;
  const value =
    octal === undefined ? Number.parseInt(hex ?? short ?? long ?? "", 16) : Number.parseInt(octal, 8);
  if (value === 0) return refuse(text, at, "stands for NUL, which no value may hold");
  if (hex !== undefined || octal !== undefined) return { length, byte: value };
  if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
    return refuse(text, at, "stands for no Unicode character");
  }
  return { length, character: String.fromCodePoint(value) };
}

/** As {@link readEscape}, but undefined for what cannot be read. */
export function tryEscape(text: string, at: number): Unescaped | undefined {
  try {
    return readEscape(text, at);
  } catch (error) {
    if (error instanceof SystemdError) return undefined;
    throw error;
  }
}

function refuse(text: string, at: number, why: string): never {
  const shown = JSON.stringify(`\\${text.slice(at, at + 3)}`);
  throw new SystemdError("invalid-value", `${shown} ${why}`, { offset: at - 1 });
}
