import { setTimeout as delay } from "node:timers/promises";

/** Time as the long-lived parts of this library see it; tests pass one that they move themselves. */
export interface Clock {
  /** Milliseconds, never going back. */
  now(): number;
  /** Resolves after so many milliseconds; rejects when the signal aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) => delay(milliseconds, undefined, signal && { signal }),
};

/** Told of what an operator may want to know: lost and regained connections, children that ended. */
export type SystemdLog = (message: string, details: Readonly<Record<string, unknown>>) => void;
