/**
 * An abort signal for one piece of work: aborts after a time or with any of the given signals, and leaves nothing
 * behind on those once it is disposed of. `AbortSignal.any` and `AbortSignal.timeout` keep their parts for as long
 * as a signal that lives long, or the whole time.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #signals: readonly AbortSignal[];
  #expired = false;

  constructor(milliseconds: number, ...signals: readonly (AbortSignal | undefined)[]) {
    this.#signals = signals.filter((signal) => signal !== undefined);
    this.#timer = setTimeout(() => {
      this.#expired = true;
      this.#controller.abort(new Error(`${milliseconds} ms have passed`));
    }, milliseconds);
    for (const signal of this.#signals) {
      if (signal.aborted) this.#controller.abort(signal.reason);
      else signal.addEventListener("abort", this.#follow, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it was the time that aborted it. */
  get expired(): boolean {
    return this.#expired;
  }

  readonly #follow = (event: Event): void => {
    if (!this.#expired) this.#controller.abort((event.target as AbortSignal).reason);
  };

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const signal of this.#signals) signal.removeEventListener("abort", this.#follow);
  }
}
