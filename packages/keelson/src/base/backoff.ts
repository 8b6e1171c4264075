import type { Random } from "./random.ts";

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  readonly factor?: number;
}

/** Exponential delays with full jitter over their upper half, so that many clients do not march in step. */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  readonly #random: Random;
  #attempt = 0;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = { factor: 2, ...options };
    this.#random = random;
  }

  /** How often `next` was asked since the last reset. */
  get attempts(): number {
    return this.#attempt;
  }

  /** The delay before the next try, in milliseconds. */
  next(): number {
    const { firstMs, maxMs, factor } = this.#options;
    const full = Math.min(maxMs, firstMs * factor ** Math.min(this.#attempt++, 40));
    return full / 2 + (full / 2) * this.#random.next();
  }

  reset(): void {
    this.#attempt = 0;
  }
}
