// Colour is decoration: text never means anything by its colour alone.
import { stripVTControlCharacters, styleText } from "node:util";

type Format = Parameters<typeof styleText>[0];

/** Colours text, or leaves it alone. */
export type Paint = (format: Format, text: string) => string;

/** Colour only on a terminal, and never when NO_COLOR is set (https://no-color.org) or TERM is dumb. */
export function paintFor(isTTY: boolean, env: Readonly<Record<string, string | undefined>>): Paint {
  const coloured = isTTY && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
  if (!coloured) return (_format, text) => text;
  return (format, text) => styleText(format, text, { validateStream: false });
}

/** The text without escape sequences. */
export function stripColour(text: string): string {
  return stripVTControlCharacters(text);
}

/** How many columns the text takes: colour takes none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const _character of stripColour(text)) width++;
  return width;
}

const goodStates = new Set(["healthy", "active", "running", "launched", "ok", "present", "succeeded"]);
const badStates = new Set(["failed", "unhealthy", "gone", "lost", "missing"]);
const movingStates = new Set([
  "starting",
  "activating",
  "deactivating",
  "waiting",
  "unplaced",
  "paused",
  "cut",
  "pending",
]);

/** Paints a word that names a state. */
export function paintState(paint: Paint, word: string): string {
  const key = word.split(" ")[0] ?? "";
  if (goodStates.has(key)) return paint("green", word);
  if (badStates.has(key)) return paint("red", word);
  if (movingStates.has(key)) return paint("yellow", word);
  return word;
}

/**
 * Text from elsewhere (a journal line, a reason, a name) made safe for a terminal: control characters
 * but tab and newline are shown in caret notation, so that nothing can move the cursor or ring.
 */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x20
      ? `^${String.fromCharCode(code + 64)}`
      : code === 0x7f
        ? "^?"
        : `\\x${code.toString(16)}`;
  });
}

// oxlint-disable-next-line no-control-regex
const colours = /(\u001B\[[0-9;]{0,20}m)/;

/** What turns the direction of what is written after it around. */
const turning = /[\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

/**
 * Text for people that has colours of ours and words from elsewhere: colours stay, every other sequence and control
 * character is made safe as `printable` does, and so is what turns the direction of writing around.
 */
export function harmless(text: string): string {
  const safe = (part: string): string =>
    printable(part).replaceAll(turning, (mark) => `\\u${mark.charCodeAt(0).toString(16)}`);
  return text
    .split(colours)
    .map((part, index) => (index % 2 === 1 ? part : safe(part)))
    .join("");
}

/** The same on one line. */
export const harmlessLine = (text: string): string => harmless(text.replaceAll(/[\t\r\n]+/g, " "));

/** Paints nothing. */
export const plain: Paint = (_format, text) => text;
