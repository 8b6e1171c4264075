// Time is passed in. Nothing but this file and simulated-clock.ts knows where it comes from.
import { setTimeout as sleepFor } from "node:timers/promises";

export interface Clock {
  /** Milliseconds on a monotonic clock with an arbitrary zero. For deadlines and leases. */
  now(): number;
  /** Milliseconds since 1970, for people and records. Never for deadlines. */
  wall(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once after `ms` unless cancelled. Never keeps the process alive. */
  timer(ms: number, callback: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  sleep: (ms, signal) => sleepFor(ms, undefined, signal === undefined ? {} : { signal }),
  timer(ms, callback) {
    const handle = setTimeout(callback, ms);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};
