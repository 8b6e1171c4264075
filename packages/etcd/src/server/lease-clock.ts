import type { MonotonicClock } from "./options.ts";

/**
 * Time as leases live it: it stands still while this process was stopped or starved, when nobody could have
 * renewed anything. A lease is never ended by the server's own stall.
 */
export class LeaseClock {
  readonly #clock: MonotonicClock;
  readonly #longestBeat: number;
  #lived = 0;
  #lastBeat: number;

  /** A beat that comes `longestBeat` milliseconds or more after the one before was held up. */
  constructor(clock: MonotonicClock, longestBeat: number) {
    this.#clock = clock;
    this.#longestBeat = longestBeat;
    this.#lastBeat = clock.now();
  }

  now(): number {
    return this.#lived + Math.min(this.#clock.now() - this.#lastBeat, this.#longestBeat);
  }

  /** To be called instead of {@link beat} while time is to stand still. */
  pause(): void {
    this.#lastBeat = this.#clock.now();
  }

  /** To be called regularly. Returns the milliseconds of a stall that has just ended, 0 for none. */
  beat(): number {
    const now = this.#clock.now();
    const passed = now - this.#lastBeat;
    this.#lastBeat = now;
    if (passed >= this.#longestBeat) return passed;
    this.#lived += passed;
    return 0;
  }
}
