// A mapping of a Compose file, read field by field. What nobody has asked for at the end has no equivalent, and is
// reported: nothing is dropped in silence.
import { KeelError } from "../../base/errors.ts";

/** What has no equivalent, or means something else here. */
export interface ImportNote {
  /** Where it stands: `services.web.ports[1]`. */
  readonly path: string;
  readonly text: string;
}

export class Fields {
  readonly path: string;
  readonly notes: ImportNote[];
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #asked = new Set<string>();

  /** @throws KeelError KEEL-108 when it is no mapping */
  constructor(value: unknown, path: string, notes: ImportNote[]) {
    this.path = path;
    this.notes = notes;
    if (value !== null && value !== undefined && (typeof value !== "object" || Array.isArray(value)))
      wrong(path, "is no mapping");
    this.#values = new Map(Object.entries((value ?? {}) as Record<string, unknown>));
  }

  keys(): string[] {
    return [...this.#values.keys()];
  }

  has(key: string): boolean {
    return this.value(key) !== undefined;
  }

  /** Any value; null counts as none. */
  value(key: string): unknown {
    this.#asked.add(key);
    return this.#values.get(key) ?? undefined;
  }

  /** A string; numbers and booleans as they are written. */
  text(key: string): string | undefined {
    const value = this.value(key);
    return value === undefined ? undefined : textOf(value, this.at(key));
  }

  boolean(key: string): boolean {
    const value = this.value(key);
    if (value === undefined || typeof value === "boolean") return value ?? false;
    if (value === "true" || value === "false") return value === "true";
    return wrong(this.at(key), "is neither true nor false");
  }

  number(key: string): number | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    return typeof number === "number" && Number.isFinite(number)
      ? number
      : wrong(this.at(key), "is no number");
  }

  /** The entries of a list; of a single string, that one. */
  list(key: string): unknown[] {
    const value = this.value(key);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    return typeof value === "object" ? wrong(this.at(key), "is no list") : [value];
  }

  texts(key: string): string[] {
    return this.list(key).map((value, index) => textOf(value, `${this.at(key)}[${index}]`));
  }

  /** `{A: 1}` or `["A=1"]`. A name without a value has `undefined`. */
  pairs(key: string): [name: string, value: string | undefined][] {
    const value = this.value(key);
    if (value === undefined) return [];
    if (Array.isArray(value)) {
      return this.texts(key).map((text) => {
        const equals = text.indexOf("=");
        return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
      });
    }
    const inner = new Fields(value, this.at(key), this.notes);
    return inner.keys().map((name) => [name, inner.text(name)]);
  }

  inner(key: string): Fields {
    return new Fields(this.value(key), this.at(key), this.notes);
  }

  at(key: string): string {
    return this.path === "" ? key : `${this.path}.${key}`;
  }

  note(key: string, text: string): void {
    this.notes.push({ path: key === "" ? this.path : this.at(key), text });
  }

  /** Notes each field that was never asked for, but extensions (`x-…`). */
  noteRest(text = "has no equivalent and was left out"): void {
    for (const key of this.#values.keys()) {
      if (!this.#asked.has(key) && !key.startsWith("x-")) this.note(key, text);
    }
  }
}

export function textOf(value: unknown, path: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return wrong(path, "is no text");
}

export function wrong(path: string, what: string): never {
  throw new KeelError("KEEL-108", `${path} ${what}`, { details: { path } });
}
