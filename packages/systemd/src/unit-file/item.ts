/**
 * The parts of a unit file. Joined in order, the `text` of all items (after the byte order mark, if the
 * file has one) is the file again, byte for byte.
 */

/** A place in a file: both count from 1; the column counts UTF-16 code units, as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** An empty line, or one of white space only. */
export interface Blank {
  readonly kind: "blank";
  readonly text: string;
  readonly position: Position;
}

/** A line that starts with `#` or `;`. */
export interface Comment {
  readonly kind: "comment";
  readonly text: string;
  readonly position: Position;
}

/** A line `[Name]`. */
export interface SectionHeader {
  readonly kind: "section";
  readonly text: string;
  /** Of the opening bracket. */
  readonly position: Position;
  readonly name: string;
  /** The file ends while a trailing backslash asks for one more line. */
  readonly open: boolean;
}

/** `Key=value`, with all its continuation lines and the comments between them. */
export interface Assignment {
  readonly kind: "assignment";
  readonly text: string;
  /** Of the key's first character. */
  readonly position: Position;
  /** Of the value's first character; where it would be if the value is empty. */
  readonly valuePosition: Position;
  readonly section: string;
  readonly key: string;
  /** Without surrounding white space; each backslash and line end of a continuation became one space. */
  readonly value: string;
  /** Where the physical lines of the value begin, for {@link positionInValue}. */
  readonly pieces: readonly Piece[];
  /** The file ends while a trailing backslash asks for one more line. */
  readonly open: boolean;
}

/** The stretch of a value from `offset` on lies in the file from `position` on. */
export interface Piece {
  readonly offset: number;
  readonly position: Position;
}

export type Item = Blank | Comment | SectionHeader | Assignment;

/** Where the character at `offset` (UTF-16) of the assignment's value stands in the file. */
export function positionInValue(assignment: Assignment, offset: number): Position {
  let found: Piece = { offset: 0, position: assignment.valuePosition };
  for (const piece of assignment.pieces) {
    if (piece.offset > offset) break;
    found = piece;
  }
  const { line, column } = found.position;
  return { line, column: column + offset - found.offset };
}
