// How an element's attributes become the fields of an object and the other way round. A table says for every
// attribute its field and its kind, in the order in which it is written; reading and printing both go by it.
import { OmahaError, positionAt, quoted } from "./error.ts";
import type { Element } from "./xml/element.ts";
import { attribute, escapeValue } from "./xml/write.ts";

/**
 * - `text`: as it is;
 * - `truth`: `true` or `false`;
 * - `digit`: a truth written `1` or `0`;
 * - `number`: a whole number;
 * - `exact`: a whole number that has to be understood: anything else is refused, and empty is absent.
 */
type Kind = "text" | "truth" | "digit" | "number" | "exact";

type KindOf<V> = [V] extends [boolean]
  ? "truth" | "digit"
  : [V] extends [number]
    ? "number" | "exact"
    : "text";

/** An attribute's name, its field in T, and how it is written. */
type Row<T> = {
  [F in keyof T & string]-?: readonly [attribute: string, field: F, kind: KindOf<NonNullable<T[F]>>];
}[keyof T & string];

/** Attributes that no table knows, as sent. */
export interface WithOthers {
  /** Attributes that this library does not know, or whose value it cannot read, as sent and in that order. */
  readonly others?: Readonly<Record<string, string>>;
}

type Value = string | number | boolean;

interface Field {
  readonly attribute: string;
  readonly name: string;
  readonly kind: Kind;
}

/** A table made ready; T is what it reads into. */
export interface Fields<T> {
  readonly inOrder: readonly Field[];
  readonly byAttribute: ReadonlyMap<string, Field>;
  /** Of the type only. */
  readonly of?: T;
}

export function fields<T>(rows: readonly Row<T>[]): Fields<T> {
  const inOrder = rows.map(([attribute, name, kind]): Field => ({ attribute, name, kind }));
  return { inOrder, byAttribute: new Map(inOrder.map((field) => [field.attribute, field])) };
}

/** Fields as an object that is being filled. */
export type Filling = Record<string, unknown>;

/** The fields of an element; absent attributes are absent fields. Throws `BAD_VALUE` for an exact number that is none. */
export function readFields<T>(element: Element, table: Fields<T>, document: string): Filling {
  const result: Filling = {};
  let others: Record<string, string> | undefined;
  const { attributes } = element;
  for (let at = 0; at < attributes.length; at += 2) {
    const attribute = attributes[at] ?? "";
    const text = attributes[at + 1] ?? "";
    const field = table.byAttribute.get(attribute);
    const value = field === undefined ? undefined : valueOf(text, field.kind);
    if (field !== undefined && value !== undefined) result[field.name] = value;
    else if (field?.kind === "exact") {
      if (text !== "") refuse(element, document, `${attribute}=${quoted(text)} is no number`);
    } else (others ??= emptyRecord())[attribute] = text;
  }
  if (others) result["others"] = others;
  return result;
}

/** Without a prototype, so that an attribute called `__proto__` is one like any other. */
const emptyRecord = (): Record<string, string> => Object.create(null) as Record<string, string>;

export function refuse(element: Element, document: string, message: string): never {
  const position = positionAt(document, element.offset);
  throw new OmahaError("BAD_VALUE", `<${element.name}>: ${message}`, { position });
}

function valueOf(text: string, kind: Kind): Value | undefined {
  switch (kind) {
    case "text":
      return text;
    case "truth":
      return text === "true" ? true : text === "false" ? false : undefined;
    case "digit":
      return text === "1" ? true : text === "0" ? false : undefined;
    case "number":
    case "exact": {
      if (!/^-?[0-9]{1,16}$/.test(text)) return undefined;
      // Without the sign of -0.
      const value = Number(text) + 0;
      return Number.isSafeInteger(value) ? value : undefined;
    }
  }
}

/** ` name="value"` for every field that is there, in the table's order, and then the others. */
export function printFields<T extends object>(message: T & WithOthers, table: Fields<T>): string {
  let text = "";
  const values = message as Readonly<Record<string, Value | undefined>>;
  for (const { attribute, name, kind } of table.inOrder) {
    const value = values[name];
    if (value === undefined) continue;
    text += ` ${attribute}="${printValue(value, kind)}"`;
  }
  const { others } = message;
  if (others !== undefined)
    for (const name of Object.keys(others)) {
      if (table.byAttribute.has(name) && values[table.byAttribute.get(name)?.name ?? ""] !== undefined)
        throw new OmahaError("BAD_VALUE", `${quoted(name)} is among the others and has a field as well`);
      text += attribute(name, others[name] ?? "");
    }
  return text;
}

function printValue(value: Value, kind: Kind): string {
  if (typeof value === "string") return escapeValue(value);
  if (typeof value === "boolean") return kind === "digit" ? (value ? "1" : "0") : value ? "true" : "false";
  if (!Number.isSafeInteger(value)) throw new OmahaError("BAD_VALUE", `${value} is no whole number`);
  return String(value);
}
