// When a timer of the cluster is due next. Pure: the leader's wall clock comes in, and chance comes from the name.
import { createHash } from "node:crypto";
import { nextElapse } from "@keelson/systemd";
import { furthestMs } from "../model/record.ts";
import type { TimerRules } from "../model/placement/rules.ts";

/** What its own life and its unit's say, in Unix milliseconds; 0 for never. */
export interface TimerPast {
  readonly activated: number;
  /** The last due time. */
  readonly last: number;
  /** When its unit was started last, and when it has ended last; 0 for the latter while it runs. */
  readonly unitStarted: number;
  readonly unitEnded: number;
}

export interface Due {
  /** What the file asks for. */
  readonly due: number;
  /** With the random delay. */
  readonly at: number;
}

/** The next time after the last one; `undefined` when there is none as things stand. */
export function nextDue(name: string, rules: TimerRules, past: TimerPast): Due | undefined {
  const after = Math.max(past.activated, past.last);
  const calendar = rules.calendars.flatMap((spec) => nextElapse(spec, after) ?? []);
  const spans = [
    ...rules.onActiveMs.map((ms) => past.activated + ms),
    ...(past.unitStarted > 0 ? rules.onUnitActiveMs.map((ms) => past.unitStarted + ms) : []),
    ...(past.unitEnded > 0 ? rules.onUnitInactiveMs.map((ms) => past.unitEnded + ms) : []),
  ].filter((at) => at > past.last);
  // What lies behind the last of all dates never comes.
  const all = [...calendar, ...spans].filter((at) => at <= furthestMs);
  if (all.length === 0) return undefined;
  const due = Math.min(...all);
  return { due, at: Math.min(due + delayOf(name, rules, due), furthestMs) };
}

/** The last calendar time that has passed by now, counted from one that has; that one itself for other triggers. */
export function latestDue(rules: TimerRules, due: number, wallMs: number): number {
  let latest = due;
  for (let tries = 0; tries < 1000; tries++) {
    const next = Math.min(...rules.calendars.map((spec) => nextElapse(spec, latest) ?? Infinity));
    if (next > wallMs) return latest;
    latest = next;
  }
  // So many have passed that it does not matter which of them is told.
  return Math.max(latest, Math.floor(wallMs / 1000) * 1000);
}

/** The same on every leader: by the timer's name, and by the time unless the delay is fixed. */
function delayOf(name: string, { randomDelayMs, fixedDelay }: TimerRules, due: number): number {
  if (randomDelayMs <= 0) return 0;
  const seed = fixedDelay ? name : `${name} ${due}`;
  const share = createHash("sha256").update(seed).digest().readUInt32BE(0) / 2 ** 32;
  return Math.floor(share * randomDelayMs);
}

/** How late a calendar time may be noticed at least: leaders change within this time. */
const leastGraceMs = 60_000;

/** Whether the time has passed for too long. Spans are never late, and a persistent timer makes up for any time. */
export function isLate(rules: TimerRules, due: number, wallMs: number): boolean {
  if (rules.persistent || !rules.calendars.some((spec) => nextElapse(spec, due - 0.001) === due))
    return false;
  return wallMs - due > Math.max(leastGraceMs, rules.accuracyMs) + rules.randomDelayMs;
}
