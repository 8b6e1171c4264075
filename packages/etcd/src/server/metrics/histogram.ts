/** Counts of durations (or of anything else that is a number) by upper bound, as Prometheus has them. */
export class Histogram {
  readonly bounds: readonly number[];
  /** How many fell into each bound and no lower one; the last are those above all bounds. */
  readonly #counts: number[];
  #sum = 0;

  /** `bounds` ascend. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let place = 0;
    while (place < this.bounds.length && value > (this.bounds[place] as number)) place++;
    (this.#counts[place] as number)++;
    this.#sum += value;
  }

  get sum(): number {
    return this.#sum;
  }

  /** How many were at or below each bound; the last number is that of all. */
  cumulative(): readonly number[] {
    let total = 0;
    return this.#counts.map((count) => (total += count));
  }
}

/** `count` bounds, each `factor` times the one before. */
export function exponentialBounds(start: number, factor: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, place) => start * factor ** place);
}
