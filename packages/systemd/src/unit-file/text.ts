import { SystemdError } from "../error.ts";

/** systemd reads no file and no line beyond this: 1 MiB. The limit on the file implies the one on its lines. */
export const MAX_UNIT_FILE_BYTES = 1024 * 1024;

export const BYTE_ORDER_MARK = "\uFEFF";

const NUL = String.fromCharCode(0);

/**
 * Turns a file's bytes into text that turns back into the very same bytes. Everything for which that is
 * impossible, or that systemd would cut short, is refused: NUL, invalid UTF-8, more than 1 MiB.
 */
export function decodeUnitFile(source: string | Uint8Array, file?: string): string {
  const bytes = typeof source === "string" ? Buffer.byteLength(source) : source.length;
  if (bytes > MAX_UNIT_FILE_BYTES) {
    const reason = `the file has ${bytes} bytes; a unit file may have at most ${MAX_UNIT_FILE_BYTES}`;
    throw new SystemdError("unit-file-too-large", reason, { file });
  }
  const text = typeof source === "string" ? source : decodeUtf8(source, file);
  if (!text.isWellFormed()) {
    throw new SystemdError("unit-file-encoding", "the text holds half of a surrogate pair", { file });
  }
  const nul = text.indexOf(NUL);
  if (nul >= 0) {
    const position = positionOf(text, nul);
    throw new SystemdError("unit-file-encoding", "the file holds a NUL character", { file, position });
  }
  return text;
}

function decodeUtf8(source: Uint8Array, file: string | undefined): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(source);
  } catch (cause) {
    const lossy = new TextDecoder("utf-8", { ignoreBOM: true }).decode(source);
    const position = positionOf(lossy, firstDifference(lossy, source));
    throw new SystemdError("unit-file-encoding", "the file is not valid UTF-8", { cause, file, position });
  }
}

/** The index of the first replacement character that does not stand for a real U+FFFD of the source. */
function firstDifference(lossy: string, source: Uint8Array): number {
  let bytes = 0;
  let counted = 0;
  for (let at = lossy.indexOf("\uFFFD"); at >= 0; at = lossy.indexOf("\uFFFD", at + 1)) {
    bytes += Buffer.byteLength(lossy.slice(counted, at));
    counted = at;
    const real = source[bytes] === 0xef && source[bytes + 1] === 0xbf && source[bytes + 2] === 0xbd;
    if (!real) return at;
  }
  return 0;
}

function positionOf(text: string, index: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (const physical of physicalLines(text)) {
    if (index < start + physical.content.length + physical.end.length) break;
    start += physical.content.length + physical.end.length;
    line += 1;
  }
  return { line, column: index - start + 1 };
}

/** One line of the file and the characters that end it (none on a last line without a line end). */
export interface PhysicalLine {
  readonly content: string;
  readonly end: string;
}

/** Splits text the way systemd does: LF, CR, CRLF and LFCR each end one line. */
export function* physicalLines(text: string): Generator<PhysicalLine> {
  const lineEnd = /\r\n|\n\r|\n|\r/g;
  let start = 0;
  for (const match of text.matchAll(lineEnd)) {
    yield { content: text.slice(start, match.index), end: match[0] };
    start = match.index + match[0].length;
  }
  if (start < text.length) yield { content: text.slice(start), end: "" };
}

const isSpace = (character: string | undefined): boolean =>
  character === " " || character === "\t" || character === "\n" || character === "\r";

/** Where the text without its surrounding white space (systemd's: blank, tab, CR, LF) begins and ends. */
export function trimmedRange(text: string, from = 0, to = text.length): [start: number, end: number] {
  let start = from;
  let end = to;
  while (start < end && isSpace(text[start])) start += 1;
  while (end > start && isSpace(text[end - 1])) end -= 1;
  return [start, end];
}
