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

/** Node takes no longer time at once, and for a longer one waits not at all. */
const longestMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  async sleep(ms, signal) {
    const options = signal === undefined ? {} : { signal };
    let left = ms;
    for (; left > longestMs; left -= longestMs) await sleepFor(longestMs, undefined, options);
    await sleepFor(left, undefined, options);
  },
  timer(ms, callback) {
    let handle: NodeJS.Timeout;
    const arm = (left: number): void => {
      const next = left > longestMs ? () => arm(left - longestMs) : callback;
      handle = setTimeout(next, Math.min(left, longestMs));
      handle.unref();
    };
    arm(ms);
    return { cancel: () => clearTimeout(handle) };
  },
};
