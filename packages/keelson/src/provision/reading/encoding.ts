// Contents in base64 and gzip, bounded: what unpacks to more than a mebibyte is refused before it is unpacked.
import { gunzipSync } from "node:zlib";
import { maxContentBytes } from "./names.ts";

/** What coreos-cloudinit and cloud-init call them. */
export const encodings = [
  "text",
  "text/plain",
  "b64",
  "base64",
  "gz",
  "gzip",
  "gz+b64",
  "gz+base64",
  "gzip+b64",
  "gzip+base64",
] as const;
export type Encoding = (typeof encodings)[number];

/** The bytes, or in words why there are none. */
export function decode(text: string, encoding: Encoding): Uint8Array | string {
  if (encoding === "text" || encoding === "text/plain") return Buffer.from(text);
  // A bare `gzip` can only be the !!binary of a YAML writer: base64 as well.
  const bytes = fromBase64(text);
  if (bytes === undefined) return "the content is not base64";
  if (encoding === "b64" || encoding === "base64") return bytes;
  return unzip(bytes, maxContentBytes) ?? "the content is not gzip, or too large";
}

/** Undefined when it is no base64; white space does not matter. */
export function fromBase64(text: string): Buffer | undefined {
  const plain = text.replaceAll(/\s+/g, "");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(plain) || plain.replace(/=+$/, "").length % 4 === 1) return undefined;
  return Buffer.from(plain, "base64");
}

/** Undefined when it is no gzip, or more than `most` bytes. */
export function unzip(bytes: Uint8Array, most: number): Buffer | undefined {
  try {
    return gunzipSync(bytes, { maxOutputLength: most });
  } catch {
    return undefined;
  }
}

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
