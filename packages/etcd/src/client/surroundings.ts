// What the client takes from outside: time, chance and a place for its log lines. Passed in, so that tests
// decide what they are.
import { setTimeout as sleepFor } from "node:timers/promises";

export interface Clock {
  /** Milliseconds on a monotonic clock with an arbitrary zero. */
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once after `ms` unless cancelled. Never keeps the process alive. */
  timer(ms: number, callback: () => void): { cancel(): void };
}

export interface Random {
  /** The next number in [0, 1). */
  next(): number;
}

export interface Log {
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleepFor(ms, undefined, signal === undefined ? {} : { signal }),
  timer(ms, callback) {
    const handle = setTimeout(callback, ms);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** The system's clock and chance, and a log that keeps nothing, wherever nothing else is given. */
export function surroundings(given: { readonly [K in keyof Surroundings]?: Surroundings[K] | undefined }) {
  return {
    clock: given.clock ?? systemClock,
    random: given.random ?? { next: () => Math.random() },
    log: given.log ?? { warn() {}, info() {}, debug() {} },
  } satisfies Surroundings;
}
