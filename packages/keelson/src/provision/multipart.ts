// The parts of a MIME multipart message, as clouds' tools put user data together. RFC 2046, as much as those write.
import { fromBase64 } from "./reading/encoding.ts";

export interface Part {
  /** `text/cloud-config`. */
  readonly type: string;
  readonly text: string;
  /** Of the message, where the part's text begins, from 1. Exact only for what was not encoded. */
  readonly firstLine: number;
}

const maxParts = 32;

export function isMultipart(text: string): boolean {
  return (
    /^content-type:\s*multipart\//im.test(text.slice(0, 2048)) && /^(?:[\w-]+:|mime-version)/i.test(text)
  );
}

/** The parts, or in words why there are none. Nested messages are not taken. */
export function partsOf(text: string): readonly Part[] | string {
  const lines = text.split(/\r?\n/);
  const end = lines.indexOf("");
  const headers = headersOf(lines.slice(0, end < 0 ? 0 : end));
  const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(headers.get("content-type") ?? "");
  const mark = boundary?.[1] ?? boundary?.[2];
  if (mark === undefined) return "the message names no boundary";
  const parts: Part[] = [];
  let from: number | undefined;
  for (let i = end; i < lines.length; i++) {
    const line = lines[i]?.trimEnd();
    if (line !== `--${mark}` && line !== `--${mark}--`) continue;
    if (from !== undefined) {
      const part = partOf(lines.slice(from, i), from);
      if (typeof part === "string") return part;
      parts.push(part);
      if (parts.length > maxParts) return `the message has more than ${maxParts} parts`;
    }
    if (line.endsWith(`${mark}--`)) return parts;
    from = i + 1;
  }
  return "the message is cut off: its last boundary is missing";
}

function partOf(lines: readonly string[], offset: number): Part | string {
  const end = lines.indexOf("");
  if (end < 0) return "a part of the message has no end of its headers";
  const headers = headersOf(lines.slice(0, end));
  const type = (headers.get("content-type") ?? "text/plain").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const printable = /^[\w.+-]{1,60}\/[\w.+-]{1,60}$/.test(type) ? type : "unknown";
  const body = lines.slice(end + 1).join("\n");
  const encoding = (headers.get("content-transfer-encoding") ?? "7bit").trim().toLowerCase();
  const firstLine = offset + end + 2;
  if (["7bit", "8bit", "binary"].includes(encoding)) return { type: printable, text: body, firstLine };
  if (encoding !== "base64") return "a part of the message is encoded in another way than base64";
  const bytes = fromBase64(body);
  return bytes === undefined
    ? "a part of the message is not base64"
    : { type: printable, text: bytes.toString(), firstLine: 1 };
}

function headersOf(lines: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  let last: string | undefined;
  for (const line of lines) {
    const [, name, value = ""] = /^([\w-]{1,60}):[ \t]*(.*)$/.exec(line) ?? [];
    if (name !== undefined) {
      last = name.toLowerCase();
      headers.set(last, value);
    } else if (last !== undefined && /^[ \t]/.test(line))
      headers.set(last, `${headers.get(last) ?? ""} ${line.trim()}`);
  }
  return headers;
}
