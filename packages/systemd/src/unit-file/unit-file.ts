/**
 * A unit file as a value: read once, never changed; editing gives a new one. What is not edited keeps every
 * byte, order, repetition, comment and line end. Positions always fit the text that `toString` returns.
 */
import { SystemdError } from "../error.ts";
import { parseBoolean } from "./boolean.ts";
import { type Edit, type NewAssignment, editText } from "./edit.ts";
import { type Assignment, type Item, type Position, positionInValue } from "./item.ts";
import { parseItems } from "./parse.ts";
import { parseSize } from "./size.ts";
import { BYTE_ORDER_MARK, decodeUnitFile } from "./text.ts";
import { parseTimespan } from "./timespan.ts";
import { splitWords } from "./words.ts";

/** A word of a value and where it stands. */
export interface PlacedWord {
  readonly text: string;
  readonly position: Position;
}

export class UnitFile {
  /** The name that error messages give the file. */
  readonly file: string | undefined;
  readonly items: readonly Item[];
  readonly #text: string;
  readonly #bySection: ReadonlyMap<string, readonly Assignment[]>;

  private constructor(text: string, file: string | undefined) {
    this.#text = text;
    this.file = file;
    this.items = parseItems(text, file);
    this.#bySection = groupBySection(this.items);
  }

  /**
   * Reads a unit file of at most 1 MiB of UTF-8, with or without byte order mark.
   * @throws SystemdError `unit-file-syntax`, `unit-file-encoding`, `unit-file-too-large`, with file and position.
   */
  static parse(source: string | Uint8Array, options: { readonly file?: string | undefined } = {}): UnitFile {
    return new UnitFile(decodeUnitFile(source, options.file), options.file);
  }

  /** A new file with these sections in this order, one blank line between them. */
  static build(sections: Iterable<readonly [name: string, assignments: Iterable<NewAssignment>]>): UnitFile {
    let built = new UnitFile("", undefined);
    for (const [name, assignments] of sections) built = built.appendSection(name, assignments);
    return built;
  }

  /** The file, character for character as it was parsed. */
  toString(): string {
    return this.#text;
  }

  /** The file, byte for byte as it was parsed. */
  toBytes(): Uint8Array {
    return new TextEncoder().encode(this.#text);
  }

  /** Section names in order of first appearance, each once. */
  sections(): readonly string[] {
    return [...this.#bySection.keys()];
  }

  /** Whether the section, or the key in it, is there. */
  has(section: string, key?: string): boolean {
    const assignments = this.#bySection.get(section);
    return key === undefined ? assignments !== undefined : (assignments?.some((a) => a.key === key) ?? false);
  }

  /** Where the first header of the section stands. */
  sectionPosition(section: string): Position | undefined {
    return this.items.find((item) => item.kind === "section" && item.name === section)?.position;
  }

  /** All assignments in file order, or those of a section (all its parts together), or of one key in it. */
  assignments(section?: string, key?: string): readonly Assignment[] {
    if (section === undefined) return this.items.filter((item) => item.kind === "assignment");
    const inSection = this.#bySection.get(section) ?? [];
    return key === undefined ? inSection : inSection.filter((assignment) => assignment.key === key);
  }

  /** The last value given to the key; undefined if there is none. An empty value is an empty string. */
  get(section: string, key: string): string | undefined {
    return this.assignments(section, key).at(-1)?.value;
  }

  /** Every value given to the key, in order, empty ones included. */
  getAll(section: string, key: string): readonly string[] {
    return this.assignments(section, key).map((assignment) => assignment.value);
  }

  /** The assignments that count for a list option: an empty value throws away what came before it. */
  listAssignments(section: string, key: string): readonly Assignment[] {
    const all = this.assignments(section, key);
    return all.slice(all.findLastIndex((assignment) => assignment.value === "") + 1);
  }

  /** The values that count for a list option, one for each assignment. */
  getList(section: string, key: string): readonly string[] {
    return this.listAssignments(section, key).map((assignment) => assignment.value);
  }

  /**
   * The words of a list option: all values that count, split at white space, quotes and C escapes resolved.
   * @throws SystemdError `invalid-value` with the position of an open quote or a bad escape.
   */
  getWords(section: string, key: string): readonly PlacedWord[] {
    return this.listAssignments(section, key).flatMap((assignment) =>
      this.read(assignment, splitWords).map(({ text, offset }) => ({
        text,
        position: positionInValue(assignment, offset),
      })),
    );
  }

  /** The last value as a boolean; undefined if the key is missing or empty. @throws `invalid-value` */
  getBoolean(section: string, key: string): boolean | undefined {
    return this.#readLast(section, key, parseBoolean);
  }

  /** The last value as microseconds (`Infinity` for `infinity`); undefined if missing or empty. @throws `invalid-value` */
  getTimespan(section: string, key: string): number | undefined {
    return this.#readLast(section, key, parseTimespan);
  }

  /** The last value as bytes (`Infinity` for `infinity`); undefined if missing or empty. @throws `invalid-value` */
  getSize(section: string, key: string): number | undefined {
    return this.#readLast(section, key, parseSize);
  }

  /** Applies `parser` to the value; a {@link SystemdError} that it throws gets this file's name and position. */
  read<T>(assignment: Assignment, parser: (value: string) => T): T {
    try {
      return parser(assignment.value);
    } catch (cause) {
      if (!(cause instanceof SystemdError)) throw cause;
      const position = positionInValue(assignment, cause.offset ?? 0);
      const reason = `${assignment.key}: ${cause.reason}`;
      throw new SystemdError(cause.code, reason, { cause, file: this.file, position, offset: cause.offset });
    }
  }

  /**
   * Gives the key exactly these values (one assignment each), where it stood before or at the section's end.
   * A missing section is added at the file's end.
   * @throws SystemdError `invalid-value` for what cannot be written so that it reads back the same.
   */
  set(section: string, key: string, value: string | readonly string[]): UnitFile {
    return this.#edit({ kind: "set", section, key, values: typeof value === "string" ? [value] : value });
  }

  /** Adds one assignment after the key's last one, or at the end of the section, which is added if missing. */
  append(section: string, key: string, value: string): UnitFile {
    return this.#edit({ kind: "append", section, key, value });
  }

  /** Adds a section of its own at the file's end, even if one of that name is there. */
  appendSection(section: string, assignments: Iterable<NewAssignment> = []): UnitFile {
    return this.#edit({ kind: "append-section", section, assignments: [...assignments] });
  }

  /** Removes every assignment of the key in the section. */
  remove(section: string, key: string): UnitFile {
    return this.#edit({ kind: "remove", section, key });
  }

  /** Removes every part of the section; comments right above the next section's header stay. */
  removeSection(section: string): UnitFile {
    return this.#edit({ kind: "remove-section", section });
  }

  #readLast<T>(section: string, key: string, parser: (value: string) => T): T | undefined {
    const last = this.assignments(section, key).at(-1);
    return last === undefined || last.value === "" ? undefined : this.read(last, parser);
  }

  #edit(edit: Edit): UnitFile {
    const bom = this.#text.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : "";
    return UnitFile.parse(bom + editText(this.items, edit), { file: this.file });
  }
}

function groupBySection(items: readonly Item[]): Map<string, Assignment[]> {
  const sections = new Map<string, Assignment[]>();
  let current: Assignment[] = [];
  for (const item of items) {
    if (item.kind === "section") {
      current = sections.get(item.name) ?? [];
      sections.set(item.name, current);
    } else if (item.kind === "assignment") {
      current.push(item);
    }
  }
  return sections;
}
