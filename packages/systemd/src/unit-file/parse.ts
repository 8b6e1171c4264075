/**
 * Text to items, losslessly. Lines, continuations and comments follow systemd's reader (systemd.syntax(7)):
 * a comment between continuation lines is skipped, an empty line ends the continuation, and a backslash
 * that is itself escaped continues nothing. Stricter than systemd in one way: a line that systemd would
 * ignore with a warning is an error here.
 */
import { SystemdError } from "../error.ts";
import type { Item, Piece, Position } from "./item.ts";
import { BYTE_ORDER_MARK, physicalLines, trimmedRange } from "./text.ts";

interface LogicalLine {
  text: string;
  content: string;
  readonly pieces: Piece[];
  open: boolean;
}

/** @throws SystemdError `unit-file-syntax` with the position of the line that cannot be read. */
export function parseItems(text: string, file?: string): Item[] {
  const items: Item[] = [];
  let section: string | undefined;
  for (const line of logicalLines(text)) {
    const item = parseLine(line, section, file);
    if (item.kind === "section") section = item.name;
    items.push(item);
  }
  return items;
}

function* logicalLines(text: string): Generator<LogicalLine> {
  const bom = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0;
  let number = 0;
  let current: LogicalLine | undefined;
  for (const { content, end } of physicalLines(text.slice(bom))) {
    number += 1;
    const position: Position = { line: number, column: 1 };
    if (isComment(content)) {
      if (current === undefined) {
        yield { text: content + end, content, pieces: [{ offset: 0, position }], open: false };
      } else {
        current.text += content + end;
      }
      continue;
    }
    current ??= { text: "", content: "", pieces: [], open: false };
    current.pieces.push({ offset: current.content.length, position });
    current.text += content + end;
    current.open = endsInBackslash(content);
    current.content += current.open ? `${content.slice(0, -1)} ` : content;
    if (current.open) continue;
    yield current;
    current = undefined;
  }
  if (current !== undefined) yield current;
}

function isComment(content: string): boolean {
  const [start] = trimmedRange(content);
  return content[start] === "#" || content[start] === ";";
}

/** Whether the last backslash stands for itself, that is, an odd number of them ends the line. */
export function endsInBackslash(content: string): boolean {
  let count = 0;
  while (content[content.length - 1 - count] === "\\") count += 1;
  return count % 2 === 1;
}

function parseLine(line: LogicalLine, section: string | undefined, file: string | undefined): Item {
  const { content, text, open } = line;
  const [start, end] = trimmedRange(content);
  const position = positionAt(line, start);
  if (start === end) return { kind: "blank", text, position: positionAt(line, 0) };
  const first = content[start];
  if (first === "#" || first === ";") return { kind: "comment", text, position };
  const refuse = (reason: string, at = start): never => {
    throw new SystemdError("unit-file-syntax", reason, { file, position: positionAt(line, at) });
  };
  if (first === "[") {
    if (content[end - 1] !== "]") return refuse("the section header has no closing bracket", end - 1);
    const name = content.slice(start + 1, end - 1);
    if (!isSectionName(name)) return refuse(`${JSON.stringify(name)} is no section name`, start + 1);
    return { kind: "section", text, position, name, open };
  }
  const equals = content.indexOf("=", start);
  if (equals < 0 || equals >= end) {
    return refuse(`${excerpt(content.slice(start, end))} is neither a section, an assignment nor a comment`);
  }
  const [, keyEnd] = trimmedRange(content, start, equals);
  if (keyEnd === start) return refuse("there is no key before the equals sign");
  const key = content.slice(start, keyEnd);
  if (section === undefined) return refuse(`the key ${excerpt(key)} stands before any section`);
  const [valueStart, valueEnd] = trimmedRange(content, equals + 1, Math.max(end, equals + 1));
  return {
    kind: "assignment",
    text,
    position,
    valuePosition: positionAt(line, valueStart),
    section,
    key,
    value: content.slice(valueStart, valueEnd),
    pieces: valuePieces(line, valueStart),
    open,
  };
}

/** systemd refuses control characters, quotes and backslashes in a section's name; so do we, and an empty name. */
export function isSectionName(name: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return name !== "" && !/[\u0000-\u001f\u007f"'\\]/.test(name);
}

function positionAt(line: LogicalLine, index: number): Position {
  let piece = line.pieces[0];
  for (const candidate of line.pieces) {
    if (candidate.offset <= index) piece = candidate;
  }
  if (piece === undefined) return { line: 1, column: 1 };
  return { line: piece.position.line, column: piece.position.column + index - piece.offset };
}

function valuePieces(line: LogicalLine, valueStart: number): Piece[] {
  const later = line.pieces.filter((piece) => piece.offset > valueStart);
  return [
    { offset: 0, position: positionAt(line, valueStart) },
    ...later.map((piece) => ({ offset: piece.offset - valueStart, position: piece.position })),
  ];
}

const excerpt = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
