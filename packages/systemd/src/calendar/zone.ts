// Local time of a zone of the IANA data base, by way of Intl.

/** A point of a zone's calendar and clock. Fields may lie out of range; `pointAt` puts them right. */
export interface LocalTime {
  year: number;
  /** From 1. */
  month: number;
  day: number;
  hour: number;
  minute: number;
  /** Microseconds within the minute. */
  micros: number;
}

const dayMs = 86_400_000;

export class Zone {
  readonly #format: Intl.DateTimeFormat | undefined;

  /** @throws RangeError for a zone that Intl does not know */
  constructor(name: string) {
    if (name === "UTC") return;
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  /** Microseconds since 1970. Of a local time that comes twice, the first; one that is left out, as the clock before counts on. */
  instantOf(local: LocalTime): number {
    const { year, month, day, hour, minute, micros } = local;
    const seconds = Math.floor(micros / 1_000_000);
    const plainMs = Date.UTC(year, month - 1, day, hour, minute, seconds);
    const rest = micros - seconds * 1_000_000;
    if (this.#format === undefined) return plainMs * 1000 + rest;
    const before = this.#offsetMs(plainMs - dayMs);
    const after = this.#offsetMs(plainMs + dayMs);
    const early = plainMs - before;
    const late = plainMs - after;
    const isEarly = before === after || this.#offsetMs(early) === before;
    const isLate = this.#offsetMs(late) === after;
    const ms = isEarly && isLate ? Math.min(early, late) : isLate ? late : early;
    return ms * 1000 + rest;
  }

  /** @param micros microseconds since 1970 */
  pointAt(micros: number): LocalTime {
    const utcMs = Math.floor(micros / 1000);
    const rest = micros - Math.floor(micros / 1_000_000) * 1_000_000;
    const at = new Date(utcMs + this.#offsetMs(utcMs));
    return {
      year: at.getUTCFullYear(),
      month: at.getUTCMonth() + 1,
      day: at.getUTCDate(),
      hour: at.getUTCHours(),
      minute: at.getUTCMinutes(),
      micros: at.getUTCSeconds() * 1_000_000 + rest,
    };
  }

  #offsetMs(utcMs: number): number {
    if (this.#format === undefined) return 0;
    const parts = new Map(this.#format.formatToParts(utcMs).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
    const local = Date.UTC(
      part("year"),
      part("month") - 1,
      part("day"),
      part("hour"),
      part("minute"),
      part("second"),
    );
    return local - Math.floor(utcMs / 1000) * 1000;
  }
}
