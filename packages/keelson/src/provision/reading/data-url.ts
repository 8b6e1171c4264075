import { fromBase64 } from "./encoding.ts";

/** The bytes of a data: URL (RFC 2397); undefined when it is none. */
export function dataOf(url: string): Buffer | undefined {
  const [, parameters, data = ""] = /^data:([^,]*),(.*)$/is.exec(url) ?? [];
  if (parameters === undefined) return undefined;
  const plain = unescaped(data);
  if (!/;base64\s*$/i.test(parameters)) return plain;
  return plain === undefined ? undefined : fromBase64(plain.toString("latin1"));
}

function unescaped(text: string): Buffer | undefined {
  const parts: Buffer[] = [];
  for (const [piece] of text.matchAll(/%[0-9A-Fa-f]{2}|[^%]+|%/g)) {
    if (piece === "%") return undefined;
    parts.push(/^%[0-9A-Fa-f]{2}$/.test(piece) ? Buffer.from(piece.slice(1), "hex") : Buffer.from(piece));
  }
  return Buffer.concat(parts);
}
