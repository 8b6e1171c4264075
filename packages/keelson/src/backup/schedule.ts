// When the next backup is due: "every 6h", or "daily at 03:30" in UTC. Pure.
import { KeelError } from "../base/errors.ts";

export type Schedule =
  | { readonly kind: "every"; readonly ms: number }
  | { readonly kind: "daily"; readonly minuteOfDay: number };

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const leastMs = 60_000;
const mostMs = 366 * 86_400_000;
const dayMs = 86_400_000;

/** Throws KEEL-106 for what is neither. */
export function parseSchedule(text: string): Schedule {
  const every = /^every (\d{1,6})(m|h|d)$/.exec(text);
  if (every !== null) {
    const ms = Number(every[1]) * (unitMs[every[2] ?? ""] ?? 0);
    if (ms >= leastMs && ms <= mostMs) return { kind: "every", ms };
  }
  const daily = /^daily at ([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  if (daily !== null) return { kind: "daily", minuteOfDay: Number(daily[1]) * 60 + Number(daily[2]) };
  throw new KeelError(
    "KEEL-106",
    `backup.schedule: ${JSON.stringify(text.slice(0, 80))} is neither "every 6h" (m, h or d, one minute to a year) nor "daily at 03:30" (UTC)`,
  );
}

/**
 * The moment of the next backup, in Unix milliseconds; in the past if one is overdue. `last` is when the newest one
 * was taken, undefined if there is none: then it is due at once.
 */
export function nextDue(schedule: Schedule, last: number | undefined): number {
  if (last === undefined) return 0;
  if (schedule.kind === "every") return last + schedule.ms;
  const today = Math.floor(last / dayMs) * dayMs + schedule.minuteOfDay * 60_000;
  return today > last ? today : today + dayMs;
}
