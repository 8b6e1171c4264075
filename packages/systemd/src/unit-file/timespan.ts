import { SystemdError } from "../error.ts";
import { sumQuantities } from "./quantity.ts";

const SECOND = 1_000_000;
const DAY = 86_400 * SECOND;
const YEAR = 365.25 * DAY;
const MONTH = YEAR / 12;

/** Longest spelling first, so that `min` is not read as `m` and two letters. */
const UNITS: readonly (readonly [name: string, microseconds: number])[] = [
  ...spell(SECOND, "seconds", "second", "sec", "s"),
  ...spell(60 * SECOND, "minutes", "minute", "min"),
  ...spell(MONTH, "months", "month", "M"),
  ...spell(1000, "msec", "ms"),
  ...spell(60 * SECOND, "m"),
  ...spell(3600 * SECOND, "hours", "hour", "hr", "h"),
  ...spell(DAY, "days", "day", "d"),
  ...spell(7 * DAY, "weeks", "week", "w"),
  ...spell(YEAR, "years", "year", "y"),
  ...spell(1, "usec", "us", "\u03BCs", "\u00B5s"),
];

function spell(microseconds: number, ...names: string[]): (readonly [string, number])[] {
  return names.map((name) => [name, microseconds] as const);
}

/**
 * A time span of systemd.time(7), such as `5min 20s`, `1.5h` or `90`, in microseconds; `infinity` is
 * `Infinity`. A number without a unit counts `defaultUnit` microseconds, one second if not given.
 * @throws SystemdError `invalid-value`, also above 2^53-1 microseconds (285 years).
 */
export function parseTimespan(text: string, defaultUnit: number = SECOND): number {
  if (text.trim() === "infinity") return Infinity;
  try {
    return sumQuantities(text, [...UNITS, ["", defaultUnit]]);
  } catch (cause) {
    if (!(cause instanceof SystemdError)) throw cause;
    const reason = `${JSON.stringify(text)} is no time span (${cause.reason}); write it like "5min 20s"`;
    throw new SystemdError("invalid-value", reason, { cause, offset: cause.offset });
  }
}

const WRITTEN: readonly (readonly [string, number])[] = [
  ["w", 7 * DAY],
  ["d", DAY],
  ["h", 3600 * SECOND],
  ["min", 60 * SECOND],
  ["s", SECOND],
  ["ms", 1000],
  ["us", 1],
];

/** Writes whole microseconds so that {@link parseTimespan} reads them back: `320000000` as `5min 20s`. */
export function formatTimespan(microseconds: number): string {
  if (microseconds === Infinity) return "infinity";
  if (!Number.isSafeInteger(microseconds) || microseconds < 0) {
    throw new SystemdError("invalid-value", `${microseconds} is no number of microseconds`);
  }
  const parts: string[] = [];
  let rest = microseconds;
  for (const [name, size] of WRITTEN) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${name}`);
    rest -= count * size;
  }
  return parts.length === 0 ? "0" : parts.join(" ");
}
