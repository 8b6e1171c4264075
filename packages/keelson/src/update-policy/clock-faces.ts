/** What clocks show in the time zones of the world. A formatter of Intl is slow to make, so each is made once. */
export class ClockFaces {
  readonly #formats = new Map<string, Intl.DateTimeFormat>();

  /**
   * What a clock there shows, as if it were UTC.
   * @param instant Unix milliseconds
   * @param timezone IANA's name
   */
  at(instant: number, timezone: string): number {
    const shown: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of this.#format(timezone).formatToParts(instant)) shown[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
    return Date.UTC(year, month - 1, day, hour, minute, second) + (((instant % 1000) + 1000) % 1000);
  }

  #format(timezone: string): Intl.DateTimeFormat {
    const known = this.#formats.get(timezone);
    if (known !== undefined) return known;
    const format = new Intl.DateTimeFormat("en-US", {
      timeZone: timezone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    this.#formats.set(timezone, format);
    return format;
  }
}
