import type { Clock } from "../base/clock.ts";

/**
 * Lets a few starts begin at a time. A slow one gives its place up after a while: it may take its time, and
 * delays no other.
 */
export class StartPace {
  readonly #clock: Clock;
  readonly #longestMs: number;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(clock: Clock, { places, longestMs }: { readonly places: number; readonly longestMs: number }) {
    this.#clock = clock;
    this.#free = places;
    this.#longestMs = longestMs;
  }

  async run<T>(start: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    };
    const timer = this.#clock.timer(this.#longestMs, leave);
    try {
      return await start();
    } finally {
      timer.cancel();
      leave();
    }
  }
}
