import type { Fields } from "./hpack/decoder.ts";

/** Headers that speak of one connection and have no place in HTTP/2 (RFC 9113, 8.2.2). */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);
const PSEUDO: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path"]);

export type Metadata = Readonly<Record<string, string | string[] | undefined>>;

/** The headers of a request. */
export class RequestHead {
  readonly fields: Fields;
  readonly method: string;
  readonly path: string;
  #metadata: Metadata | undefined;

  private constructor(fields: Fields, method: string, path: string) {
    this.fields = fields;
    this.method = method;
    this.path = path;
  }

  /** Undefined for a request that is malformed (8.3.1). An authority may be anything: etcdctl 3.4 sends a URL. */
  static of(fields: Fields): RequestHead | undefined {
    const pseudo = new Map<string, string>();
    for (let at = 0; at < fields.length; at += 2) {
      const name = fields[at] as string;
      if (name.startsWith(":")) {
        // Each at most once, and before all others.
        if (!PSEUDO.has(name) || pseudo.has(name) || pseudo.size * 2 !== at) return undefined;
        pseudo.set(name, fields[at + 1] as string);
      } else if (OF_CONNECTION.has(name) || (name === "te" && fields[at + 1] !== "trailers")) {
        return undefined;
      }
    }
    const [method, path] = [pseudo.get(":method"), pseudo.get(":path")];
    if (method === undefined || !path || !pseudo.has(":scheme")) return undefined;
    return new RequestHead(fields, method, path);
  }

  /** The first header of a name. */
  value(name: string): string | undefined {
    const { fields } = this;
    for (let at = 0; at < fields.length; at += 2) if (fields[at] === name) return fields[at + 1];
    return undefined;
  }

  /** All of them by name; a name that stands there several times has a list. */
  get metadata(): Metadata {
    this.#metadata ??= this.#gather();
    return this.#metadata;
  }

  #gather(): Metadata {
    const all: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
    for (let at = 0; at < this.fields.length; at += 2) {
      const name = this.fields[at] as string;
      const value = this.fields[at + 1] as string;
      const before = all[name];
      if (before === undefined) all[name] = value;
      else if (Array.isArray(before)) before.push(value);
      else all[name] = [before, value];
    }
    return all;
  }
}
