import { FlagError } from "./flag-error.ts";
import { FLAGS } from "./flag-table.ts";
import { parseBool, parseDuration, parseInteger, splitList } from "./flag-values.ts";
import type { GivenFlags } from "./parse-flags.ts";

/** Values of flags, given or by default. */
export class FlagReader {
  readonly #given: GivenFlags;

  constructor(given: GivenFlags) {
    this.#given = given;
  }

  isGiven(name: string): boolean {
    return this.#given.has(name);
  }

  text(name: string): string {
    return this.#given.get(name) ?? FLAGS.get(name)?.fallback ?? "";
  }

  list(name: string): readonly string[] {
    return splitList(this.text(name));
  }

  bool(name: string): boolean {
    return parseBool(this.text(name)) ?? false;
  }

  /** Throws FlagError above what a number can hold exactly. */
  number(name: string): number {
    const value = Number(parseInteger(this.text(name)) ?? 0n);
    if (Number.isSafeInteger(value)) return value;
    throw new FlagError(`--${name} ${this.text(name)} is more than the store can count to`);
  }

  /** Milliseconds. */
  duration(name: string): number {
    return parseDuration(this.text(name)) ?? 0;
  }

  oneOf<W extends string>(name: string, words: readonly W[]): W {
    const word = words.find((known) => known === this.text(name));
    if (word !== undefined) return word;
    throw new FlagError(`--${name} is ${words.join(" or ")}, not ${JSON.stringify(this.text(name))}`);
  }
}
