import { SystemdError } from "../error.ts";
import type { Item } from "./item.ts";
import { endsInBackslash, isSectionName } from "./parse.ts";
import { BYTE_ORDER_MARK, trimmedRange } from "./text.ts";

/** A key and its value, to be written as one line. */
export type NewAssignment = readonly [key: string, value: string];

export type Edit =
  | {
      readonly kind: "set";
      readonly section: string;
      readonly key: string;
      readonly values: readonly string[];
    }
  | { readonly kind: "append"; readonly section: string; readonly key: string; readonly value: string }
  | {
      readonly kind: "append-section";
      readonly section: string;
      readonly assignments: readonly NewAssignment[];
    }
  | { readonly kind: "remove"; readonly section: string; readonly key: string }
  | { readonly kind: "remove-section"; readonly section: string };

/**
 * The text (without byte order mark) after one edit. New lines end as the line before them does.
 * @throws SystemdError `invalid-value` for a section, key or value that a line cannot hold.
 */
export function editText(items: readonly Item[], edit: Edit): string {
  switch (edit.kind) {
    case "set":
      return setKey(items, edit);
    case "append": {
      const at = lastIndexOfKey(items, edit.section, edit.key) ?? endOfSection(items, edit.section);
      const line = writeLine(edit.key, edit.value);
      return at === undefined ? addSection(items, edit.section, [line]) : insertAfter(items, at, [line]);
    }
    case "append-section":
      return addSection(
        items,
        edit.section,
        edit.assignments.map(([key, value]) => writeLine(key, value)),
      );
    case "remove":
      return join(items.filter((item) => !isKey(item, edit.section, edit.key)));
    case "remove-section":
      return join(withoutSection(items, edit.section));
  }
}

function setKey(items: readonly Item[], { section, key, values }: Edit & { kind: "set" }): string {
  const lines = values.map((value) => writeLine(key, value));
  const first = items.findIndex((item) => isKey(item, section, key));
  if (first < 0) {
    const at = endOfSection(items, section);
    return at === undefined ? addSection(items, section, lines) : insertAfter(items, at, lines);
  }
  const rest = items.slice(first + 1).filter((item) => !isKey(item, section, key));
  const end = lineEnd(items, first);
  const isEnded = rest.length > 0 || ENDS_LINE.test(items[first]?.text ?? "");
  const written = lines.join(end) + (isEnded && lines.length > 0 ? end : "");
  return join(items.slice(0, first)) + written + join(rest);
}

function addSection(items: readonly Item[], section: string, lines: readonly string[]): string {
  if (!isSectionName(section)) {
    throw new SystemdError("invalid-value", `${JSON.stringify(section)} cannot be written as a section name`);
  }
  const end = lineEnd(items, items.length - 1);
  const gap = items.length === 0 || items.at(-1)?.kind === "blank" ? "" : end;
  return ended(items, end) + gap + [`[${section}]`, ...lines].map((line) => line + end).join("");
}

function insertAfter(items: readonly Item[], index: number, lines: readonly string[]): string {
  const end = lineEnd(items, index);
  const before = ended(items.slice(0, index + 1), end);
  return before + lines.map((line) => line + end).join("") + join(items.slice(index + 1));
}

/** The items' text, complete: a missing last line end is added, and an open continuation is closed. */
function ended(items: readonly Item[], end: string): string {
  const text = join(items);
  const last = items.at(-1);
  if (last === undefined) return text;
  const complete = ENDS_LINE.test(text) ? text : text + end;
  return (last.kind === "assignment" || last.kind === "section") && last.open ? complete + end : complete;
}

const ENDS_LINE = /(?:\r\n|\n\r|\n|\r)$/;

/** How the line at the index ends, or the nearest one before it, or else the first one after it. */
function lineEnd(items: readonly Item[], index: number): string {
  const ends = (item: Item): string | undefined => ENDS_LINE.exec(item.text)?.[0];
  const before = items.slice(0, index + 1).findLast((item) => ends(item) !== undefined);
  const found = before ?? items.find((item) => ends(item) !== undefined);
  return (found && ends(found)) ?? "\n";
}

function writeLine(key: string, value: string): string {
  const refuse = (what: string, text: string, why: string): never => {
    throw new SystemdError("invalid-value", `${what} ${JSON.stringify(text)} cannot be written: ${why}`);
  };
  if (key === "" || isPadded(key)) refuse("the key", key, "it is empty or has white space around it");
  if (/[=\r\n]/.test(key) || /^[#;[]/.test(key) || key.startsWith(BYTE_ORDER_MARK)) {
    refuse("the key", key, "it would not read back as a key");
  }
  if (/[\r\n]/.test(value)) refuse("the value", value, "it has more than one line");
  if (isPadded(value)) refuse("the value", value, "white space around a value is not kept; quote it");
  if (endsInBackslash(value)) refuse("the value", value, "a backslash at its end would continue the line");
  return `${key}=${value}`;
}

function isPadded(text: string): boolean {
  const [start, end] = trimmedRange(text);
  return start !== 0 || end !== text.length;
}

const join = (items: readonly Item[]): string => items.map((item) => item.text).join("");

const isKey = (item: Item, section: string, key: string): boolean =>
  item.kind === "assignment" && item.section === section && item.key === key;

function lastIndexOfKey(items: readonly Item[], section: string, key: string): number | undefined {
  const index = items.findLastIndex((item) => isKey(item, section, key));
  return index < 0 ? undefined : index;
}

/** The last header or assignment of the last part of the section. */
function endOfSection(items: readonly Item[], section: string): number | undefined {
  const header = items.findLastIndex((item) => item.kind === "section" && item.name === section);
  if (header < 0) return undefined;
  let last = header;
  for (let index = header + 1; index < items.length; index += 1) {
    const kind = items[index]?.kind;
    if (kind === "section") break;
    if (kind === "assignment") last = index;
  }
  return last;
}

function withoutSection(items: readonly Item[], section: string): Item[] {
  const kept: Item[] = [];
  let removing = false;
  items.forEach((item, index) => {
    if (item.kind === "section") removing = item.name === section;
    if (!removing || belongsToNextHeader(items, index, section)) kept.push(item);
  });
  return kept;
}

/** A comment with nothing but comments between it and the header of another section. */
function belongsToNextHeader(items: readonly Item[], index: number, section: string): boolean {
  let at = index;
  while (items[at]?.kind === "comment") at += 1;
  const next = items[at];
  return at > index && next?.kind === "section" && next.name !== section;
}
