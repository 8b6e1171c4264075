// Bytes to text, strictly: what is not UTF-8 is refused with its place instead of being replaced.
import { OmahaError, positionAt } from "../error.ts";

const utf8 = (): TextDecoder => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const whole = utf8();

/** UTF-8 to a string, a byte order mark kept. Throws `NOT_UTF8`. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return whole.decode(bytes);
  } catch (cause) {
    const good = validPrefix(bytes);
    const text = whole.decode(bytes.subarray(0, good));
    const position = positionAt(text, text.length);
    throw new OmahaError("NOT_UTF8", "a byte that is not UTF-8", { position, cause });
  }
}

/** How many bytes from the start are whole, valid characters. */
function validPrefix(bytes: Uint8Array): number {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >>> 1;
    if (decodes(bytes.subarray(0, middle))) good = middle;
    else bad = middle;
  }
  // A decoder that expects more input is content with the beginning of a character.
  while (good > 0 && !decodes(bytes.subarray(0, good), false)) good--;
  return good;
}

function decodes(bytes: Uint8Array, stream = true): boolean {
  try {
    utf8().decode(bytes, { stream });
    return true;
  } catch {
    return false;
  }
}
