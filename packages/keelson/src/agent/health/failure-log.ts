// The failures of one unit under one order, and when it is tried again: pure. Times are Unix milliseconds.

import type { FailureLog } from "../../model/remembered-health.ts";

export const noFailures: FailureLog = { failures: [], waitedMs: 0, tries: 0 };

/** As MoveWithin= unless given. */
export const defaultWindowMs = 600_000;
/** Older ones are forgotten. */
const mostFailures = 200;
const firstPauseMs = 10_000;
export const longestPauseMs = 300_000;

/** Failures longer ago than the window are dropped; waiting between tries does not make them older. */
export function withFailures(
  log: FailureLog,
  { at, count, windowMs }: { readonly at: number; readonly count: number; readonly windowMs: number },
): FailureLog {
  const awake = at - log.waitedMs;
  const recent = log.failures.filter((failure) => awake - failure.awake <= windowMs);
  const failures = [
    ...recent,
    ...Array.from({ length: Math.min(count, mostFailures) }, () => ({ at, awake })),
  ];
  return { ...log, failures: failures.slice(-mostFailures) };
}

/** Before the machine tries again by itself: 10 s, doubled with each try, 5 min at most. A first restart waits not at all. */
export function pauseBefore(log: FailureLog, isRestart: boolean): number {
  const doublings = isRestart ? log.tries - 1 : log.tries;
  return doublings < 0 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(doublings, 10));
}

export function withWait(log: FailureLog, from: number, until: number): FailureLog {
  return { ...log, waiting: { from, until } };
}

/** The machine tries again now. */
export function withTry(log: FailureLog, now: number): FailureLog {
  const waitedMs = log.waiting === undefined ? 0 : Math.max(0, now - log.waiting.from);
  return { ...log, waitedMs: log.waitedMs + waitedMs, tries: log.tries + 1, waiting: undefined };
}

/** As a status shows them; `undefined` for none. */
export function failuresOf({
  failures,
  waiting,
}: FailureLog):
  | { readonly count: number; readonly since: number; readonly last: number; readonly nextTry?: number }
  | undefined {
  const first = failures[0];
  const last = failures.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const nextTry = waiting === undefined ? {} : { nextTry: waiting.until };
  return { count: failures.length, since: first.at, last: last.at, ...nextTry };
}
