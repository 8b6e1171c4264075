import type { Clock, Timer } from "../base/clock.ts";

/** Tells a loop that there is something to do. Impulses that come while it works are one impulse. */
export class Impulse {
  readonly #clock: Clock;
  #given = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  give(): void {
    this.#given = true;
    this.#wake?.();
  }

  /** Forgets an impulse that what follows takes care of. */
  clear(): void {
    this.#given = false;
  }

  /** Resolves at the next impulse, at once if there was one, or at `byMs`. Rejects with the signal's reason. */
  async taken({ byMs, signal }: { readonly byMs: number; readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    if (this.#given) return;
    await new Promise<void>((resolve, reject) => {
      let timer: Timer | undefined;
      const settle = (done: () => void) => (): void => {
        timer?.cancel();
        this.#wake = undefined;
        signal.removeEventListener("abort", onAbort);
        done();
      };
      const onAbort = settle(() => reject(signal.reason));
      this.#wake = settle(resolve);
      signal.addEventListener("abort", onAbort, { once: true });
      // setTimeout takes no more than 2^31 - 1 ms.
      const ms = Math.min(byMs - this.#clock.now(), 2 ** 31 - 1);
      if (byMs < Infinity) timer = this.#clock.timer(Math.max(0, ms), settle(resolve));
    });
  }
}
