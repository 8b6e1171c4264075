// The one error class of this package. Codes are for programs, messages for people, and a position says where
// in the document it went wrong.

/**
 * - `TOO_LARGE`: the document is longer, deeper or has more parts than its limits allow;
 * - `NOT_UTF8`: its bytes are not UTF-8;
 * - `NOT_XML`: it is not well-formed, or uses what Omaha has no need of (document types, CDATA, instructions);
 * - `NOT_OMAHA`: well-formed, but another kind of document;
 * - `UNSUPPORTED_PROTOCOL`: Omaha of a version other than 3.x;
 * - `BAD_VALUE`: a value that has to be understood and cannot be, or one that cannot be printed.
 */
export type OmahaErrorCode =
  | "TOO_LARGE"
  | "NOT_UTF8"
  | "NOT_XML"
  | "NOT_OMAHA"
  | "UNSUPPORTED_PROTOCOL"
  | "BAD_VALUE";

/** A place in a document. Lines and columns count from 1, columns and offsets in UTF-16 units. */
export interface OmahaPosition {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** A document that is no Omaha message, or a message that is no document, and why. */
export class OmahaError extends Error {
  readonly code: OmahaErrorCode;
  /** Where in the document; always there when reading failed, never when printing did. */
  readonly position?: OmahaPosition;

  constructor(
    code: OmahaErrorCode,
    message: string,
    { position, cause }: { readonly position?: OmahaPosition; readonly cause?: unknown } = {},
  ) {
    super(
      position ? `line ${position.line}, column ${position.column}: ${message}` : message,
      cause === undefined ? undefined : { cause },
    );
    this.name = "OmahaError";
    this.code = code;
    if (position) this.position = position;
  }
}

/** The most of a document that a message repeats. */
const LONGEST_QUOTE = 40;

/** A piece of a document as it may stand in a message: cut short, on one line, without control characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text);
}

/** Line and column of an offset. Lines end with LF, CR or both. */
export function positionAt(text: string, offset: number): OmahaPosition {
  const before = text.slice(0, offset);
  const lines = before.split(/\r\n|\r|\n/);
  return { offset, line: lines.length, column: (lines.at(-1) ?? "").length + 1 };
}
