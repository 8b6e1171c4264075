import type { Clock, Timer } from "../../packages/keelson/src/base/clock.ts";
import { sleepOn } from "../../packages/keelson/src/base/simulated-clock.ts";

/**
 * A machine's clock: it goes on while the machine is frozen, but nothing on the machine hears it. Its wall clock can be
 * wrong.
 */
export class PausableClock implements Clock {
  readonly #base: Clock;
  readonly #missed: (() => void)[] = [];
  #paused = false;
  #wrongMs = 0;

  constructor(base: Clock) {
    this.#base = base;
  }

  now(): number {
    return this.#base.now();
  }

  wall(): number {
    return this.#base.wall() + this.#wrongMs;
  }

  /** Moves the wall clock of this machine alone, as a person or a bad time server does. */
  jumpWall(ms: number): void {
    this.#wrongMs += ms;
  }

  get wrongMs(): number {
    return this.#wrongMs;
  }

  timer(ms: number, callback: () => void): Timer {
    let isOver = false;
    const fire = (): void => {
      if (isOver) return;
      if (this.#paused) this.#missed.push(fire);
      else callback();
    };
    const timer = this.#base.timer(ms, fire);
    return {
      cancel() {
        isOver = true;
        timer.cancel();
      },
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const fire of this.#missed.splice(0)) fire();
  }
}
