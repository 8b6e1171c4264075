// Keys and values of any bytes for people, and for programs in JSON.
import type { StoredKey } from "../../../model/stored-key.ts";

const mostHexBytes = 4096;

/** How a value is shown: JSON is laid out, text as it is, anything else in hex. */
export type ValueForm = "json" | "text" | "hex";

/** Text of a key: what is not printable as \xNN. */
export function keyText(key: Uint8Array): string {
  const text = textOf(key);
  if (text !== undefined && !/[\p{Cc}\\]/u.test(text)) return text;
  return [...key]
    .map((byte) =>
      byte > 0x20 && byte < 0x7f && byte !== 0x5c
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, "0")}`,
    )
    .join("");
}

export function formOf(value: Uint8Array): ValueForm {
  const text = textOf(value);
  if (text === undefined || /[^\P{Cc}\t\n\r]/u.test(text)) return "hex";
  return jsonOf(text) === undefined ? "text" : "json";
}

/** The value as its form shows it, without a line break at the end. */
export function valueText(value: Uint8Array): string {
  switch (formOf(value)) {
    case "json":
      return JSON.stringify(jsonOf(textOf(value) ?? ""), undefined, 2);
    case "text":
      return (textOf(value) ?? "").replace(/\n$/, "");
    case "hex":
      return hexDump(value);
  }
}

/** One line of a value, cut off at `width`. */
export function valueLine(value: Uint8Array, width: number): string {
  const text = formOf(value) === "hex" ? Buffer.from(value).toString("hex") : (textOf(value) ?? "");
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}

/** A key for programs. */
export function keyDocument(stored: StoredKey): Readonly<Record<string, unknown>> {
  const { key, value, createRevision, modRevision, version, lease } = stored;
  return {
    key: keyText(key),
    keyBase64: Buffer.from(key).toString("base64"),
    value: textOf(value) ?? null,
    valueBase64: Buffer.from(value).toString("base64"),
    form: formOf(value),
    createRevision,
    modRevision,
    // The document has a version of its own.
    keyVersion: version,
    lease: leaseText(lease),
  };
}

/** Hex, as etcdctl writes it; empty for none. */
export function leaseText(lease: bigint): string {
  return lease === 0n ? "" : BigInt.asUintN(64, lease).toString(16);
}

/** The value as JSON, if it is an object or an array. */
export function jsonValue(value: Uint8Array): unknown {
  return formOf(value) === "json" ? jsonOf(textOf(value) ?? "") : undefined;
}

function jsonOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  const shown = Math.min(bytes.length, mostHexBytes);
  for (let at = 0; at < shown; at += 16) {
    const row = bytes.subarray(at, Math.min(at + 16, shown));
    const hex = [...row].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = [...row]
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."))
      .join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(47)}  ${text}`);
  }
  if (shown < bytes.length) lines.push(`… ${bytes.length - shown} more bytes; -o json has them all`);
  return lines.join("\n");
}
