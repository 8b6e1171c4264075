// Pages of 100. A token is fleet's (two numbers of 16 bits, the limit and the page, in base64url), followed by
// the name of the last item that was given: what comes or goes between two pages shifts none of the others.
import { KeelError } from "../../base/errors.ts";

export const pageLimit = 100;

export interface Page<T> {
  readonly items: readonly T[];
  /** Of the next page; undefined when this is the last one. */
  readonly next: string | undefined;
}

interface PageToken {
  readonly page: number;
  /** The key after which the page begins; undefined in a token that fleet itself could have made. */
  readonly after: string | undefined;
}

/** The page that the query asks for. `items` are sorted by their keys. KEEL-582 for a token that is none. */
export function pageOf<T>(
  items: readonly T[],
  tokens: readonly string[],
  keyOf: (item: T) => string,
): Page<T> {
  const { page, after } = readToken(tokens);
  const isLater = (item: T): boolean => after !== undefined && keyOf(item) > after;
  const found = after === undefined ? (page - 1) * pageLimit : items.findIndex(isLater);
  const start = found < 0 ? items.length : found;
  const given = items.slice(start, start + pageLimit);
  const last = given.at(-1);
  const isLast = last === undefined || start + pageLimit >= items.length || page >= 0xffff;
  return { items: given, next: isLast ? undefined : writeToken({ page: page + 1, after: keyOf(last) }) };
}

function writeToken({ page, after = "" }: PageToken): string {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(pageLimit, 0);
  head.writeUInt16LE(page, 2);
  return Buffer.concat([head, Buffer.from(after)]).toString("base64url");
}

function readToken(tokens: readonly string[]): PageToken {
  const [text, second] = tokens;
  if (text === undefined) return { page: 1, after: undefined };
  if (second !== undefined) throw refusal("too many values for page token");
  if (text.length > 1024 || !/^[A-Za-z0-9_-]*={0,2}$/.test(text)) throw refusal("illegal base64 data");
  const bytes = Buffer.from(text, "base64url");
  if (bytes.length < 4) throw refusal("unexpected EOF");
  if (bytes.readUInt16LE(0) !== pageLimit) throw refusal(`token limit must be ${pageLimit}`);
  const page = bytes.readUInt16LE(2);
  if (page === 0) throw refusal("token page must be greater than zero");
  const after = bytes.subarray(4).toString("utf8");
  return { page, after: after === "" ? undefined : after };
}

const refusal = (reason: string): KeelError => new KeelError("KEEL-582", reason);
