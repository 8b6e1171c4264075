// When a calendar event elapses next. The search goes from the years down to the seconds; a field that has no value
// left makes the one above it go on.
import type { CalendarField, CalendarSpec } from "./spec.ts";
import { type LocalTime, Zone } from "./zone.ts";

const lastYear = 2199;
/** What cannot come, such as 31 February, ends at the last year; nothing needs more steps than this. */
const mostSteps = 5000;

/**
 * The first time after `afterMs` at which the event elapses, in milliseconds since 1970, with fractions for what is
 * finer; `undefined` when it never does again. Of local times that come twice a year the first counts, and one that
 * is left out does not come.
 * @param zone in which an event without a zone is meant
 */
export function nextElapse(spec: CalendarSpec, afterMs: number, zone = "UTC"): number | undefined {
  const inZone = new Zone(spec.zone ?? zone);
  const from = afterRepetition(Math.floor(afterMs * 1000) + 1, inZone);
  const found = new Search(spec, inZone).from(from);
  return found === undefined ? undefined : found / 1000;
}

/** In an hour that comes for the second time nothing elapses: its end. Another time is left as it is. */
function afterRepetition(micros: number, zone: Zone): number {
  const isRepeated = (at: number): boolean => zone.instantOf(zone.pointAt(at)) < at;
  if (!isRepeated(micros)) return micros;
  // Clocks change at whole seconds.
  let repeated = Math.floor(micros / 1_000_000);
  let over = repeated + 86_400;
  while (over - repeated > 1) {
    const middle = Math.floor((repeated + over) / 2);
    if (isRepeated(middle * 1_000_000)) repeated = middle;
    else over = middle;
  }
  return over * 1_000_000;
}

type Level = 0 | 1 | 2 | 3 | 4 | 5;

class Search {
  readonly #spec: CalendarSpec;
  readonly #zone: Zone;

  constructor(spec: CalendarSpec, zone: Zone) {
    this.#spec = spec;
    this.#zone = zone;
  }

  /** In microseconds, from this one on. */
  from(micros: number): number | undefined {
    let at = this.#zone.pointAt(micros);
    for (let step = 0; step < mostSteps; step++) {
      const moved = this.#settle(at);
      if (moved === "found") return this.#zone.instantOf(at);
      if (moved === "never") return undefined;
      at = this.#zone.pointAt(this.#zone.instantOf(at));
    }
    return undefined;
  }

  /** Brings `at` forward to a match, or to where to look on. */
  #settle(at: LocalTime): "found" | "never" | "again" {
    for (const [index, name] of levels.entries()) {
      const level = index as Level;
      const value = firstFrom(this.#field(name, at), at[name], lastOf(name, at));
      if (value === undefined) {
        if (level === 0) return "never";
        advance(at, (level - 1) as Level);
        return "again";
      }
      if (value !== at[name]) reset(at, level);
      at[name] = value;
      if (at.year > lastYear) return "never";
      const bounds = this.#bounds(at);
      if (bounds < 0 && level > 0) advance(at, (level - 1) as Level);
      if (bounds !== 0) return "again";
      if (name === "day" && !this.#isWeekday(at)) {
        advance(at, 2);
        return "again";
      }
    }
    return "found";
  }

  /** 0 when the local time exists; 1 when it means a later one, -1 when an earlier one. */
  #bounds(at: LocalTime): -1 | 0 | 1 {
    const real = this.#zone.pointAt(this.#zone.instantOf(at));
    for (const name of ["year", "month", "day", "hour", "minute", "micros"] as const) {
      if (real[name] !== at[name]) return real[name] < at[name] && name !== "day" ? -1 : 1;
    }
    return 0;
  }

  #field(name: keyof LocalTime, at: LocalTime): CalendarField {
    if (name === "micros") return this.#spec.second;
    return name === "day" ? this.#dayField(at) : this.#spec[name];
  }

  #dayField(at: LocalTime): CalendarField {
    const { day: field, fromMonthEnd } = this.#spec;
    if (!fromMonthEnd || field === undefined) return field;
    const last = daysIn(at);
    const fromEnd = (day: number): number => last + 1 - day;
    return field
      .map(({ start, stop, repeat }) => {
        const first = fromEnd(start);
        if (stop === undefined) return { start: first, stop, repeat };
        return { start: fromEnd(stop), stop: first, repeat };
      })
      .filter(({ start }) => start >= 1);
  }

  #isWeekday({ year, month, day }: LocalTime): boolean {
    const { weekdays } = this.#spec;
    if (weekdays === undefined) return true;
    return weekdays.has((new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7);
  }
}

const daysIn = ({ year, month }: LocalTime): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

const lasts = { year: Infinity, month: 12, hour: 23, minute: 59, micros: 60_000_000 - 1 } as const;
const lastOf = (name: keyof LocalTime, at: LocalTime): number => (name === "day" ? daysIn(at) : lasts[name]);

/** The field's first value from this one on, and up to the last. */
function firstFrom(field: CalendarField, value: number, last: number): number | undefined {
  if (field === undefined) return value;
  let first: number | undefined;
  for (const { start, stop, repeat } of field) {
    let candidate = start;
    if (start < value) {
      if (repeat === 0) continue;
      candidate = start + Math.ceil((value - start) / repeat) * repeat;
      if (stop !== undefined && candidate > stop) continue;
    }
    if (candidate <= last && (first === undefined || candidate < first)) first = candidate;
  }
  return first;
}

const levels = ["year", "month", "day", "hour", "minute", "micros"] as const;

/** Puts everything below the level at its beginning. */
function reset(at: LocalTime, level: Level): void {
  for (const name of levels.slice(level + 1)) at[name] = name === "month" || name === "day" ? 1 : 0;
}

function advance(at: LocalTime, level: Level): void {
  const name = levels[level];
  if (name === undefined) return;
  at[name] += 1;
  reset(at, level);
}
