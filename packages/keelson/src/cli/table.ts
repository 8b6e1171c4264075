// Tables: stable columns, two blanks between them, no wrapping, nothing cut in a pipe.
import { KeelError } from "../base/errors.ts";
import { displayWidth, paintState } from "./colour.ts";
import type { Paint } from "./colour.ts";

export interface Column<Row> {
  /** The name that `--fields` takes; the legend shows it in capitals. */
  readonly name: string;
  /** The cell; an empty one is shown as `-`. */
  readonly cell: (row: Row, look: CellLook) => string;
}

export interface CellLook {
  /** Show identities and hashes in full. */
  readonly full: boolean;
}

export interface TableOptions {
  readonly full?: boolean | undefined;
  /** Leave the line of column names out. */
  readonly legend?: boolean | undefined;
}

/** Columns by name, in the order asked for. Throws KEEL-104 for an unknown name, listing the known. */
export function chooseColumns<Row>(
  columns: readonly Column<Row>[],
  fields: readonly string[] | undefined,
  standard: readonly string[],
): readonly Column<Row>[] {
  return (fields ?? standard).map((name) => {
    const column = columns.find((candidate) => candidate.name === name.trim().toLowerCase());
    if (column) return column;
    const known = columns.map((candidate) => candidate.name).join(",");
    throw new KeelError("KEEL-104", `unknown field "${name}"`, { hint: `--fields=${known}` });
  });
}

/** The table as text, each line ended. No rows make just the legend. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: TableOptions = {},
): string {
  const look = { full: options.full ?? false };
  const lines = rows.map((row) => columns.map((column) => cellText(column.cell(row, look))));
  if (options.legend ?? true) lines.unshift(columns.map((column) => column.name.toUpperCase()));
  return alignColumns(lines);
}

/** Pads every column to its widest cell; the last cell of a line is neither padded nor counted. */
export function alignColumns(lines: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const line of lines)
    line.slice(0, -1).forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, displayWidth(cell))));
  return lines
    .map((line) => {
      const cells = line.map((cell, i) =>
        i === line.length - 1 ? cell : cell + " ".repeat((widths[i] ?? 0) - displayWidth(cell)),
      );
      return `${cells.join("  ")}\n`;
    })
    .join("");
}

/** The same columns, with the words of one of them painted as states. */
export function paintColumn<Row>(
  columns: readonly Column<Row>[],
  name: string,
  paint: Paint,
): readonly Column<Row>[] {
  return columns.map((column) =>
    column.name === name
      ? { ...column, cell: (row, look) => paintState(paint, column.cell(row, look)) }
      : column,
  );
}

function cellText(text: string): string {
  const line = text.replaceAll(/[\t\r\n]+/g, " ");
  return line === "" ? "-" : line;
}

/** `1fa7a2a1...` as fleetctl shows it, unless asked for in full. */
export function shortId(id: string, look: CellLook): string {
  return look.full || id.length <= 8 ? id : `${id.slice(0, 8)}...`;
}

/** The first seven digits of a hash, unless asked for in full. */
export function shortHash(hash: string, look: CellLook): string {
  return look.full ? hash : hash.slice(0, 7);
}
