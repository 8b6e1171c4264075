// Attributes and elements to text. The result is ASCII: what is beyond it is written as a character reference,
// as update_engine does, so that its length in bytes is its length as a string.
import { OmahaError, quoted } from "../error.ts";
import { isCharacter, nameOfCode } from "./characters.ts";

const unusual = /[^\x20\x21\x23-\x25\x27-\x3b\x3d\x3f-\x7e]/;
const unusualCharacters = /[^\x20\x21\x23-\x25\x27-\x3b\x3d\x3f-\x7e]/gu;
const namePattern = /^[A-Za-z_:][-.\w:]*$/;

/** What stands between the quotes. Throws `BAD_VALUE` for what XML cannot carry: control characters, halves of pairs. */
export function escapeValue(value: string): string {
  return unusual.test(value) ? value.replace(unusualCharacters, reference) : value;
}

/** ` name="value"`. Throws `BAD_VALUE` for a name that is none. */
export function attribute(name: string, value: string): string {
  if (!namePattern.test(name)) throw new OmahaError("BAD_VALUE", `${quoted(name)} is no name`);
  return ` ${name}="${escapeValue(value)}"`;
}

function reference(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (character === "&") return "&amp;";
  if (character === "<") return "&lt;";
  if (character === ">") return "&gt;";
  if (character === '"') return "&quot;";
  if (!isCharacter(code))
    throw new OmahaError("BAD_VALUE", `the character ${nameOfCode(code)} cannot be written`);
  return `&#x${code.toString(16).toUpperCase()};`;
}
