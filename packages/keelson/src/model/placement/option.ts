// Reading options of Keelson's own sections strictly, with the place of what is wrong.
import {
  nearest,
  parseBoolean,
  type Assignment,
  type Position,
  positionInValue,
  splitWords,
  SystemdError,
  type UnitFile,
} from "@keelson/systemd";
import { KeelError } from "../../base/errors.ts";

export interface Refusal {
  readonly file: UnitFile;
  readonly position: Position;
  /** The valid name that was perhaps meant. */
  readonly nearest?: string | undefined;
  readonly hint?: string;
}

/** KEEL-102: the message begins with `file:line:column: `. */
export function refuse(message: string, { file, position, nearest, hint }: Refusal): never {
  const { line, column } = position;
  const meant = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  throw new KeelError("KEEL-102", `${file.file}:${line}:${column}: ${message}${meant}`, {
    ...(hint === undefined ? {} : { hint }),
    details: { file: file.file, line, column, nearest },
  });
}

export function refuseUnknownKeys(file: UnitFile, section: string, known: readonly string[]): void {
  for (const { key, position } of file.assignments(section)) {
    if (known.includes(key)) continue;
    const hint = `[${section}] has ${known.filter((name) => !name.startsWith("X-")).join(", ")}`;
    refuse(`[${section}] knows no ${key}=`, { file, position, nearest: nearest(key, known), hint });
  }
}

/** A part of a value with its place. */
export interface PlacedText {
  readonly text: string;
  readonly position: Position;
}

/** The value as it stands, or, when it begins with a double quote, its words. Never empty. */
export function quotedParts(file: UnitFile, assignment: Assignment): PlacedText[] {
  const { value, key, valuePosition } = assignment;
  if (value === "") refuse(`${key}= has no value`, { file, position: valuePosition });
  if (!value.startsWith('"')) return [{ text: value, position: valuePosition }];
  return words(file, assignment).map(({ text, offset }) => {
    const position = positionInValue(assignment, offset);
    if (text === "") refuse(`${key}= has an empty value`, { file, position });
    return { text, position };
  });
}

/** The words of the value. Never empty. */
export function blankSeparatedParts(file: UnitFile, assignment: Assignment): PlacedText[] {
  return quotedParts(file, assignment).flatMap(({ text, position }) => {
    if (assignment.value.startsWith('"')) return [{ text, position }];
    return [...text.matchAll(/[^ \t\r\n]+/g)].map((match) => ({
      text: match[0],
      position: positionInValue(assignment, match.index),
    }));
  });
}

export function booleanValue(file: UnitFile, { key, value, valuePosition: position }: Assignment): boolean {
  try {
    return parseBoolean(value);
  } catch {
    return refuse(`${key}=${value} is neither yes nor no`, { file, position });
  }
}

function words(file: UnitFile, assignment: Assignment): ReturnType<typeof splitWords> {
  try {
    return splitWords(assignment.value);
  } catch (error) {
    if (!(error instanceof SystemdError)) throw error;
    const position = positionInValue(assignment, error.offset ?? 0);
    return refuse(`${assignment.key}=: ${error.reason}`, { file, position });
  }
}
