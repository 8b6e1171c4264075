// Which of the units that are there a person meant: exact names, names without suffix, templates, patterns.
import { nearest } from "@keelson/systemd";
import { KeelError } from "../base/errors.ts";
import { isPattern, parseGlob } from "../model/glob.ts";

/** Something that runs, or a unit: `web@1.container` of `web@.container`. */
export interface Named {
  readonly name: string;
  readonly unit: string;
}

/**
 * Refuses a name that nothing has: a list without it would read as if the unit were merely not running.
 * A pattern may match nothing. Throws KEEL-501.
 */
export function refuseUnknownNames(words: readonly string[], known: readonly Named[]): void {
  for (const word of words) {
    if (isPattern(word) || known.some(unitTest(word))) continue;
    const names = known.flatMap(({ name }) => [name, stemOf(name)]);
    const near = nearest(word, names);
    throw new KeelError(
      "KEEL-501",
      `no unit "${word}"`,
      near === undefined ? {} : { hint: `did you mean ${near}?` },
    );
  }
}

/** True for what any of the words names; no words name everything. */
export function unitFilter(words: readonly string[]): (item: Named) => boolean {
  if (words.length === 0) return () => true;
  const tests = words.map(unitTest);
  return (item) => tests.some((test) => test(item));
}

/** The name without its type. */
export function stemOf(name: string): string {
  return name.replace(/\.[a-z]+$/, "");
}

function unitTest(word: string): (item: Named) => boolean {
  const glob = isPattern(word) ? parseGlob(word) : undefined;
  const fits = (text: string): boolean =>
    text === word ||
    stemOf(text) === word ||
    glob?.matches(text) === true ||
    glob?.matches(stemOf(text)) === true;
  return ({ name, unit }) => fits(name) || fits(unit);
}

/** Order in which people count: web@2 before web@10. */
export function naturally(a: string, b: string): number {
  return collator.compare(a, b);
}

const collator = new Intl.Collator("en", { numeric: true });
