// One value of a configuration and where it stands. Reading one that is not what it must be notes an error and gives
// undefined, so that a single reading tells everything that is wrong.
import { nearest } from "@keelson/systemd";
import { isMap, isScalar, isSeq } from "yaml";
import type { Node, Pair, Scalar } from "yaml";
import type { Source } from "./document.ts";
import type { Place } from "./findings.ts";

const maxDepth = 32;

export class Field {
  readonly path: string;
  readonly #source: Source;
  readonly #node: Node;
  readonly #depth: number;

  constructor(source: Source, node: Node, path: string, depth = 0) {
    this.path = path;
    this.#source = source;
    this.#node = node;
    this.#depth = depth;
  }

  get place(): Place {
    return this.#source.place(this.#node);
  }

  error(message: string, remedy: string): undefined {
    this.#source.findings.add({ severity: "error", path: this.path, message, remedy, ...this.place });
    return undefined;
  }

  warn(message: string, remedy: string): void {
    this.#source.findings.add({ severity: "warning", path: this.path, message, remedy, ...this.place });
  }

  /** Nothing was written: `users:` alone, or null. */
  get isEmpty(): boolean {
    const node = this.#resolved();
    return isScalar(node) && node.type === "PLAIN" && /^(?:|~|null)$/i.test(textOf(node));
  }

  /** The fields of a mapping by name; `-` in a name counts as `_`. Unknown ones are errors, doubled ones as well. */
  fields<Name extends string>(known: readonly Name[]): Partial<Record<Name, Field>> {
    const found: Partial<Record<Name, Field>> = {};
    for (const [written, key, field] of this.#entries()) {
      const name = known.find((candidate) => candidate === written.replaceAll("-", "_"));
      if (name === undefined) {
        const near = nearest(written.slice(0, 60).replaceAll("-", "_"), known);
        key.error(
          `there is no field ${shown(written)}`,
          near === undefined ? `Known here: ${known.join(", ")}.` : `Did you mean ${near}?`,
        );
      } else if (Object.hasOwn(found, name))
        key.error(`${shown(written)} stands twice`, "Remove one of them.");
      else if (!field.isEmpty) found[name] = field;
    }
    return found;
  }

  /** A mapping whose keys are free. */
  entries(): readonly (readonly [string, Field])[] {
    const seen = new Set<string>();
    const found: (readonly [string, Field])[] = [];
    for (const [written, key, field] of this.#entries()) {
      if (seen.has(written)) key.error(`${shown(written)} stands twice`, "Remove one of them.");
      else found.push([written, field]);
      seen.add(written);
    }
    return found;
  }

  items(): readonly Field[] {
    const node = this.#resolved();
    if (node === undefined || this.isEmpty) return [];
    if (!isSeq(node)) return this.error("must be a list", "Write one entry a line, each after a dash.") ?? [];
    return node.items.map((item, i) => this.#below(item as Node, `${this.path}[${i}]`));
  }

  /** A list of texts; one text alone, or one with commas, is taken as well where `split` allows it. */
  texts(split = false): readonly string[] {
    const node = this.#resolved();
    if (split && isScalar(node))
      return (this.text() ?? "")
        .split(",")
        .map((word) => word.trim())
        .filter((word) => word !== "");
    return this.items().flatMap((item) => item.text() ?? []);
  }

  /** As it was written. */
  text(): string | undefined {
    const node = this.#resolved();
    if (node === undefined) return undefined;
    if (!isScalar(node)) return this.error("must be a text", "Write a single value.");
    const value = textOf(node);
    if (value.includes("\0")) return this.error("has a zero byte", "Encode the content: `encoding: b64`.");
    return value;
  }

  /** A text that fits; `what` says in words what it must be. */
  matching(pattern: RegExp, what: string, remedy: string): string | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    return pattern.test(text) ? text : this.error(`must be ${what}`, remedy);
  }

  oneOf<Word extends string>(words: readonly Word[]): Word | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    const word = words.find((candidate) => candidate === text);
    return word ?? this.error(`${shown(text)} is not known here`, `One of: ${words.join(", ")}.`);
  }

  flag(): boolean | undefined {
    const text = this.text()?.toLowerCase();
    if (text === undefined) return undefined;
    if (["true", "yes", "on"].includes(text)) return true;
    if (["false", "no", "off"].includes(text)) return false;
    return this.error("must be true or false", "Write true or false.");
  }

  integer(least: number, most: number): number | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    return this.error(`must be a whole number from ${least} to ${most}`, "Write digits only.");
  }

  /** The kind of thing that was written. */
  get shape(): "mapping" | "list" | "text" {
    const node = this.#resolved();
    return isMap(node) ? "mapping" : isSeq(node) ? "list" : "text";
  }

  *#entries(): Generator<readonly [string, Field, Field]> {
    const node = this.#resolved();
    if (node === undefined || this.isEmpty) return;
    if (!isMap(node)) {
      this.error("must be a mapping", "Write `name: value` lines below it.");
      return;
    }
    for (const { key, value } of node.items as Pair<Node, Node | null>[]) {
      const written = isScalar(key) ? textOf(key) : undefined;
      const keyField = this.#below(key, this.path);
      if (written === undefined || written === "<<") {
        keyField.error(
          written === undefined ? "a name must be a text" : "merging mappings with << is not taken",
          "Write the fields out.",
        );
        continue;
      }
      const path = this.path === "" ? written : `${this.path}.${written}`;
      yield [
        written,
        this.#below(key, path),
        value === null ? this.#below(key, path).#asEmpty() : this.#below(value, path),
      ];
    }
  }

  #below(node: Node, path: string): Field {
    return new Field(
      this.#source,
      node,
      path.length > 200 ? `${path.slice(0, 200)}…` : path,
      this.#depth + 1,
    );
  }

  /** A name without anything behind it. */
  #asEmpty(): Field {
    return new EmptyField(this.#source, this.#node, this.path, this.#depth);
  }

  #resolved(): Node | undefined {
    if (this.#depth > maxDepth)
      return this.error("nested too deep", "Nothing in a configuration is that deep.");
    const node = this.#source.follow(this.#node);
    if (node === undefined && !this.#source.findings.hasErrors)
      this.error(
        "too many values or aliases, or an alias to nothing",
        "Write the values out, and fewer of them.",
      );
    return node;
  }
}

class EmptyField extends Field {
  override get isEmpty(): boolean {
    return true;
  }
}

/** The failsafe schema makes every scalar a text. */
function textOf({ value }: Scalar): string {
  return typeof value === "string" ? value : "";
}

/** A word for a message: short, in quotes, without control characters. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
