// Remembers views by what they were made from: what has the same sources stays the same object, in the same
// place. A pass names every view that there is; what it does not name is forgotten.
import { compareNames } from "../../model/unit-name.ts";

interface Remembered<T> {
  readonly sources: readonly unknown[];
  readonly view: T;
}

export class ViewMemory<T extends { readonly name: string }> {
  #before = new Map<string, Remembered<T>>();
  #now = new Map<string, Remembered<T>>();
  #order: readonly string[] = [];

  /** The view of this key: the one before if its sources are the same, by identity. */
  keep(key: string, sources: readonly unknown[], make: () => T): void {
    const known = this.#before.get(key);
    const isSame =
      known && known.sources.length === sources.length && sources.every((it, i) => it === known.sources[i]);
    this.#now.set(key, isSame ? known : { sources, view: make() });
  }

  /** Ends the pass: its views in the order of their names, as people count, then of their keys. */
  finish(): T[] {
    const views = this.#now;
    const isSameOrder = views.size === this.#order.length && this.#order.every((key) => views.has(key));
    if (!isSameOrder) {
      const nameOf = (key: string): string => views.get(key)?.view.name ?? "";
      this.#order = [...views.keys()].sort(
        (a, b) => compareNames(nameOf(a), nameOf(b)) || compareNames(a, b),
      );
    }
    this.#before = views;
    this.#now = new Map();
    return this.#order.flatMap((key) => views.get(key)?.view ?? []);
  }
}
