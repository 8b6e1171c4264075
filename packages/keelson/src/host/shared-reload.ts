import type { Clock } from "../base/clock.ts";

/** Reloads that are asked for within a short time become one. */
export class SharedReload {
  readonly #reload: () => Promise<void>;
  readonly #clock: Clock;
  readonly #gatherMs: number;
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(reload: () => Promise<void>, clock: Clock, gatherMs = 50) {
    this.#reload = reload;
    this.#clock = clock;
    this.#gatherMs = gatherMs;
  }

  /** Resolves after a reload that began after this call. */
  request(): Promise<void> {
    this.#next ??= this.#gather();
    return this.#next;
  }

  async #gather(): Promise<void> {
    await this.#clock.sleep(this.#gatherMs);
    await this.#running.catch(() => {});
    this.#next = undefined;
    this.#running = this.#reload();
    await this.#running;
  }
}
