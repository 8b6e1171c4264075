import type { Rate } from "./limits.ts";

/** So many at once, and so many a second in the long run (a token bucket). */
export class Allowance {
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #at = 0;

  constructor({ most, perSecond }: Rate) {
    this.#most = most;
    this.#perSecond = perSecond;
    this.#left = most;
  }

  /** Takes one at a time in milliseconds. False if there is none left. */
  take(now: number): boolean {
    if (this.#left < 1) {
      this.#left = Math.min(this.#most, this.#left + ((now - this.#at) / 1000) * this.#perSecond);
      this.#at = now;
      if (this.#left < 1) return false;
    }
    this.#left--;
    return true;
  }

  /** Gives some back. */
  give(count: number): void {
    this.#left = Math.min(this.#most, this.#left + count);
  }
}

/** An amount that many share. */
export class Budget {
  readonly #most: number;
  #used = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get used(): number {
    return this.#used;
  }

  get isSpent(): boolean {
    return this.#used > this.#most;
  }

  add(amount: number): void {
    this.#used += amount;
  }
}
