/** Changes since the tree was built that cost less than building it. */
const MOST_LOOSE = 16;

/** A set of half-open intervals of keys; `end` undefined has no bound. Finds those that a key lies in. */
export class IntervalIndex<T extends { readonly start: string; readonly end: string | undefined }> {
  readonly #intervals = new Set<T>();
  /** Sorted by start, with a tree laid over it. Holds what was there when it was built, removed ones too. */
  #sorted: readonly T[] = [];
  /** For each place, the greatest end in the subtree whose middle it is. */
  #greatestEnd: (string | undefined)[] = [];
  /** Added since: looked at one by one, until it is worth while to build again. */
  readonly #recent = new Set<T>();
  /** Removed since, and still in the tree. */
  readonly #gone = new Set<T>();

  add(interval: T): void {
    if (this.#intervals.has(interval)) return;
    this.#intervals.add(interval);
    if (!this.#gone.delete(interval)) this.#recent.add(interval);
  }

  remove(interval: T): void {
    if (this.#intervals.delete(interval) && !this.#recent.delete(interval)) this.#gone.add(interval);
  }

  /** Calls `found` for each interval that holds the key. */
  at(key: string, found: (interval: T) => void): void {
    if (this.#recent.size + this.#gone.size > MOST_LOOSE + this.#sorted.length / 8) this.#build();
    this.#search(0, this.#sorted.length, { key, found });
    for (const interval of this.#recent) {
      if (key >= interval.start && (interval.end === undefined || key < interval.end)) found(interval);
    }
  }

  #build(): void {
    this.#sorted = [...this.#intervals].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
    this.#greatestEnd = Array.from({ length: this.#sorted.length });
    this.#measure(0, this.#sorted.length);
    this.#recent.clear();
    this.#gone.clear();
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
    const holds = interval.end === undefined || want.key < interval.end;
    if (holds && !this.#gone.has(interval)) want.found(interval);
    this.#search(middle + 1, high, want);
  }
}

function greater(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return undefined;
  return a > b ? a : b;
}
