/**
 * The latest times of something that happens in order, at most so many of them: a ring. How many lie within a
 * period is asked by looking at one of them.
 */
export class RecentTimes {
  readonly #most: number;
  readonly #keptMs: number;
  #times = new Float64Array(16);
  #start = 0;
  #size = 0;

  constructor({ most, keptMs }: { readonly most: number; readonly keptMs: number }) {
    this.#most = most;
    this.#keptMs = keptMs;
  }

  get size(): number {
    return this.#size;
  }

  /** @param time not before the last one */
  add(time: number): void {
    while (this.#size > 0 && this.#at(0) <= time - this.#keptMs) this.#shift();
    if (this.#size === this.#most) this.#shift();
    if (this.#size === this.#times.length) this.#grow();
    this.#times[(this.#start + this.#size) % this.#times.length] = time;
    this.#size += 1;
  }

  /** The time before which there were `count` fewer: the `count`th from the end. */
  latest(count: number): number | undefined {
    return count > this.#size ? undefined : this.#at(this.#size - count);
  }

  values(): number[] {
    return Array.from({ length: this.#size }, (_, place) => this.#at(place));
  }

  #at(place: number): number {
    return this.#times[(this.#start + place) % this.#times.length] ?? 0;
  }

  #shift(): void {
    this.#start = (this.#start + 1) % this.#times.length;
    this.#size -= 1;
  }

  #grow(): void {
    const larger = new Float64Array(this.#times.length * 2);
    larger.set(this.values());
    this.#times = larger;
    this.#start = 0;
  }
}
