import type { Random } from "./surroundings.ts";

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Doubling delays with jitter over their upper half, so that many clients do not march in step. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #failures = 0;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** Milliseconds to wait after one more failure. */
  next(): number {
    const full = Math.min(this.#options.maxMs, this.#options.firstMs * 2 ** Math.min(this.#failures++, 30));
    return full / 2 + (full / 2) * this.#random.next();
  }

  reset(): void {
    this.#failures = 0;
  }
}
