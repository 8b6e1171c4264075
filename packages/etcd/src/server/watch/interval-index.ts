/** A set of half-open intervals of keys; `end` undefined has no bound. Finds those that a key lies in. */
export class IntervalIndex<T extends { readonly start: string; readonly end: string | undefined }> {
  readonly #intervals = new Set<T>();
  /** Sorted by start, with the tree laid over it: made when it is needed after a change. */
  #sorted: readonly T[] = [];
  /** For each place, the greatest end in the subtree whose middle it is. */
  #greatestEnd: (string | undefined)[] = [];
  #isCurrent = true;

  add(interval: T): void {
    this.#intervals.add(interval);
    this.#isCurrent = false;
  }

  remove(interval: T): void {
    this.#intervals.delete(interval);
    this.#isCurrent = false;
  }

  /** Calls `found` for each interval that holds the key. */
  at(key: string, found: (interval: T) => void): void {
    if (!this.#isCurrent) this.#build();
    this.#search(0, this.#sorted.length, { key, found });
  }

  #build(): void {
    this.#sorted = [...this.#intervals].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
    this.#greatestEnd = Array.from({ length: this.#sorted.length });
    this.#measure(0, this.#sorted.length);
    this.#isCurrent = true;
  }

  /** Fills in the greatest ends of [low, high) and returns the greatest of all. */
  #measure(low: number, high: number): string | undefined {
    if (low >= high) return "";
    const middle = (low + high) >>> 1;
    const own = (this.#sorted[middle] as T).end;
    const greatest = greater(own, greater(this.#measure(low, middle), this.#measure(middle + 1, high)));
    this.#greatestEnd[middle] = greatest;
    return greatest;
  }

  #search(
    low: number,
    high: number,
    want: { readonly key: string; readonly found: (interval: T) => void },
  ): void {
    if (low >= high) return;
    const middle = (low + high) >>> 1;
    const greatest = this.#greatestEnd[middle];
    if (greatest !== undefined && greatest <= want.key) return;
    this.#search(low, middle, want);
    const interval = this.#sorted[middle] as T;
    if (interval.start > want.key) return;
    if (interval.end === undefined || want.key < interval.end) want.found(interval);
    this.#search(middle + 1, high, want);
  }
}

function greater(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a > b ? a : b;
}
