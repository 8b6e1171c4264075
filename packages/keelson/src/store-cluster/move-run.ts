// A move that is under way, for those who look on: what it does, step by step, and how it ended.
import type { Clock } from "../base/clock.ts";
import { KeelError } from "../base/errors.ts";
import type { ErrorBody } from "../base/errors.ts";

/** One line of a move's progress. The last one has `done` and, should it have failed, `error`. */
export interface MoveLine {
  /** Milliseconds since the move began. */
  readonly ms: number;
  readonly words: string;
  readonly done: boolean;
  /** Milliseconds that nobody could write; null before the move is done. */
  readonly pauseMs: number | null;
  readonly error: ErrorBody | null;
}

const mostLines = 1000;

export class MoveRun {
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #lines: MoveLine[] = [];
  #changed = Promise.withResolvers<void>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.now();
  }

  get isDone(): boolean {
    return this.#lines.at(-1)?.done === true;
  }

  /** What it does now. */
  get words(): string {
    return this.#lines.at(-1)?.words ?? "begins";
  }

  /** A step, in words. The same words again are not told. */
  tell(words: string): void {
    if (this.isDone || words === this.words || this.#lines.length >= mostLines) return;
    this.#add({ words, done: false, pauseMs: null, error: null });
  }

  succeed(words: string, pauseMs: number): void {
    this.#add({ words, done: true, pauseMs, error: null });
  }

  fail(error: KeelError): void {
    this.#add({ words: error.message, done: true, pauseMs: null, error: error.toJSON() });
  }

  /** The line with this number, from 0, as soon as there is one; undefined behind the last. */
  async line(index: number, signal: AbortSignal): Promise<MoveLine | undefined> {
    for (;;) {
      const line = this.#lines[index];
      if (line !== undefined || this.isDone) return line;
      const { promise, reject } = Promise.withResolvers<never>();
      const giveUp = (): void => reject(signal.reason);
      signal.addEventListener("abort", giveUp, { once: true });
      if (signal.aborted) giveUp();
      await Promise.race([this.#changed.promise, promise]).finally(() =>
        signal.removeEventListener("abort", giveUp),
      );
    }
  }

  #add(line: Omit<MoveLine, "ms">): void {
    this.#lines.push({ ms: Math.round(this.#clock.now() - this.#startedMs), ...line });
    const told = this.#changed;
    this.#changed = Promise.withResolvers();
    told.resolve();
  }
}
