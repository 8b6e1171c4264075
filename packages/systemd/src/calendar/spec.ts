// Calendar events of systemd.time(7), "CALENDAR EVENTS": what they say. next-elapse.ts says when they elapse.
import { SystemdError } from "../error.ts";

/** Values of one field: `start`, and every `repeat` after it up to `stop`. `repeat` 0 for one value. */
export interface CalendarStep {
  readonly start: number;
  /** Inclusive; `undefined` for the field's own end. */
  readonly stop: number | undefined;
  readonly repeat: number;
}

/** Any of these values; `undefined` for every value. */
export type CalendarField = readonly CalendarStep[] | undefined;

export interface CalendarSpec {
  /** 0 for Monday to 6 for Sunday; `undefined` for every day. */
  readonly weekdays: ReadonlySet<number> | undefined;
  readonly year: CalendarField;
  /** From 1. */
  readonly month: CalendarField;
  /** From 1; counted from the month's end, which is 1, when `fromMonthEnd`. */
  readonly day: CalendarField;
  readonly fromMonthEnd: boolean;
  readonly hour: CalendarField;
  readonly minute: CalendarField;
  /** Microseconds within the minute. */
  readonly second: CalendarField;
  /** Name of the IANA data base, or `UTC`; `undefined` when the event names none. */
  readonly zone: string | undefined;
}

const second = 1_000_000;
const mostSteps = 240;
const mostCharacters = 1024;
const biggest = 2 ** 31 - 1;

const midnight = "00:00:00";
const shorthands: Readonly<Record<string, string>> = {
  minutely: "*-*-* *:*:00",
  hourly: "*-*-* *:00:00",
  daily: `*-*-* ${midnight}`,
  weekly: `Mon *-*-* ${midnight}`,
  monthly: `*-*-01 ${midnight}`,
  quarterly: `*-01,04,07,10-01 ${midnight}`,
  semiannually: `*-01,07-01 ${midnight}`,
  "semi-annually": `*-01,07-01 ${midnight}`,
  biannually: `*-01,07-01 ${midnight}`,
  "bi-annually": `*-01,07-01 ${midnight}`,
  yearly: `*-01-01 ${midnight}`,
  annually: `*-01-01 ${midnight}`,
  anually: `*-01-01 ${midnight}`,
};

/**
 * Reads a calendar event, such as `Mon..Fri *-*-* 09:00 Europe/Vienna`, `daily` or `*:0/15`.
 * @throws SystemdError `invalid-value` with the offset
 */
export function parseCalendar(text: string): CalendarSpec {
  if (text.length > mostCharacters) refuse(text.slice(0, 40), 0, "it is too long");
  const { body, zone } = takeZone(text);
  const written = Object.hasOwn(shorthands, body.toLowerCase()) ? shorthands[body.toLowerCase()] : undefined;
  return new Reader(written ?? body, zone).read();
}

function takeZone(text: string): { readonly body: string; readonly zone: string | undefined } {
  const space = text.lastIndexOf(" ");
  const word = text.slice(space + 1);
  if (space <= 0) return { body: text, zone: undefined };
  if (word.toUpperCase() === "UTC") return { body: text.slice(0, space), zone: "UTC" };
  return isZone(word) ? { body: text.slice(0, space), zone: word } : { body: text, zone: undefined };
}

/** Whether the IANA data base of this program has a zone of this name. */
export function isZone(name: string): boolean {
  if (!/^[A-Za-z][\w+-]*(\/[\w+-]+)*$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name }).format(0);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

const dayNames = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

interface Limits {
  readonly from: number;
  readonly to: number;
  readonly fromMonthEnd?: boolean;
}

class Reader {
  readonly #text: string;
  readonly #zone: string | undefined;
  #at = 0;

  constructor(text: string, zone: string | undefined) {
    this.#text = text;
    this.#zone = zone;
  }

  read(): CalendarSpec {
    if (this.#text === "") this.#refuse("it is empty");
    const weekdays = this.#weekdays();
    if (this.#peek() === "@") return this.#timestamp(weekdays);
    const date = this.#date();
    const time = this.#time();
    if (this.#at < this.#text.length) this.#refuse("nothing may follow here");
    const { fromMonthEnd } = date;
    return {
      weekdays: weekdays.size === 0 || weekdays.size === 7 ? undefined : weekdays,
      year: this.#within(date.year?.map(fullYear), { from: 1970, to: 2199 }, "year"),
      month: this.#within(date.month, { from: 1, to: 12 }, "month"),
      day: this.#within(date.day, { from: 1, to: 31, fromMonthEnd }, "day"),
      fromMonthEnd: fromMonthEnd && date.day !== undefined,
      hour: this.#within(time.hour, { from: 0, to: 23 }, "hour"),
      minute: this.#within(time.minute, { from: 0, to: 59 }, "minute"),
      second: this.#within(time.second, { from: 0, to: 60 * second - 1 }, "second"),
      zone: this.#zone,
    };
  }

  #weekdays(): Set<number> {
    const days = new Set<number>();
    let rangeFrom: number | undefined;
    for (let isFirst = true; ; isFirst = false) {
      const found = this.#weekday();
      if (found === undefined) {
        if (isFirst) return days;
        this.#refuse("a day of the week is missing");
      }
      if (rangeFrom !== undefined && rangeFrom > found) this.#refuse("the range of days goes backwards");
      for (let day = rangeFrom ?? found; day <= found; day++) days.add(day);
      const isRangeEnd = rangeFrom !== undefined;
      rangeFrom = undefined;
      if (this.#atBreak()) break;
      if (this.#take(",")) {
        if (this.#atBreak()) break;
        continue;
      }
      if (isRangeEnd || !(this.#take("..") || this.#take("-"))) this.#refuse("a day is expected");
      rangeFrom = found;
      if (this.#atBreak()) this.#refuse("the range of days has no end");
    }
    this.#spaces();
    return days;
  }

  #weekday(): number | undefined {
    const rest = this.#text.slice(this.#at, this.#at + 10).toLowerCase();
    const day = dayNames.findIndex((name) => rest.startsWith(name.slice(0, 3)));
    if (day < 0) return undefined;
    const name = dayNames[day] ?? "";
    const length = rest.startsWith(name) ? name.length : 3;
    if (!["", "-", ".", ",", " "].includes(this.#text.charAt(this.#at + length)))
      this.#refuse("this is no day of the week");
    this.#at += length;
    return day;
  }

  #date(): Pick<CalendarSpec, "year" | "month" | "day" | "fromMonthEnd"> {
    const none = { year: undefined, month: undefined, day: undefined, fromMonthEnd: false };
    const start = this.#at;
    if (this.#peek() === "") return none;
    const first = this.#field(1);
    if (this.#peek() === "" || this.#peek() === ":") {
      this.#at = start;
      return none;
    }
    let fromMonthEnd = this.#dateSeparator();
    const next = this.#field(1);
    if (this.#atBreak()) {
      this.#spaces();
      return { year: undefined, month: first, day: next, fromMonthEnd };
    }
    if (fromMonthEnd) this.#refuse("only the day is counted from the end of the month");
    fromMonthEnd = this.#dateSeparator();
    const day = this.#field(1);
    if (!this.#atBreak()) this.#refuse("the date should end here");
    this.#spaces();
    return { year: first, month: next, day, fromMonthEnd };
  }

  #dateSeparator(): boolean {
    if (this.#take("~")) return true;
    if (!this.#take("-")) this.#refuse("- or ~ is expected");
    return false;
  }

  #time(): Pick<CalendarSpec, "hour" | "minute" | "second"> {
    const zero = [{ start: 0, stop: undefined, repeat: 0 }];
    if (this.#peek() === "") return { hour: zero, minute: zero, second: zero };
    const hour = this.#field(1);
    if (!this.#take(":")) this.#refuse("a time is written hours:minutes");
    const minute = this.#field(1);
    if (this.#peek() === "") return { hour, minute, second: zero };
    if (!this.#take(":")) this.#refuse("seconds follow a colon");
    return { hour, minute, second: this.#field(second) };
  }

  /** `unit` is what 1 is written for. */
  #field(unit: number): CalendarField {
    if (this.#take("*")) return unit === 1 ? undefined : [{ start: 0, stop: undefined, repeat: unit }];
    const steps: CalendarStep[] = [];
    do {
      if (steps.length >= mostSteps) this.#refuse("these are too many values");
      steps.push(this.#step(unit));
    } while (this.#take(","));
    return steps;
  }

  #step(unit: number): CalendarStep {
    const start = this.#number(unit);
    const stop = this.#take("..") ? this.#number(unit) : undefined;
    let repeat = stop === undefined ? 0 : unit;
    if (this.#take("/")) {
      repeat = this.#number(unit);
      if (repeat === 0) this.#refuse("a step of 0 leads nowhere");
    } else if (unit !== 1 && stop !== undefined && start + repeat > stop) {
      this.#refuse("the range is shorter than a second");
    }
    if (!["", " ", ",", "-", "~", ":"].includes(this.#peek())) this.#refuse("this does not belong here");
    return normalized({ start, stop, repeat });
  }

  #number(unit: number): number {
    const [whole = ""] = /^\d*/.exec(this.#text.slice(this.#at)) ?? [];
    if (whole === "") this.#refuse("a number is expected");
    this.#at += whole.length;
    let value = Number(whole) * unit;
    if (unit !== 1 && this.#peek() === "." && this.#text.charAt(this.#at + 1) !== ".") {
      const [, digits = ""] = /^\.(\d*)/.exec(this.#text.slice(this.#at)) ?? [];
      if (digits === "") this.#refuse("digits are expected");
      this.#at += digits.length + 1;
      // The seventh digit rounds.
      const rounds = Number(digits.charAt(6) || 0) >= 5 ? 1 : 0;
      value += Number(digits.slice(0, 6).padEnd(6, "0")) + rounds;
    }
    if (value > biggest) this.#refuse("the number is too large");
    return value;
  }

  #timestamp(weekdays: ReadonlySet<number>): CalendarSpec {
    this.#at += 1;
    const digits = this.#text.slice(this.#at);
    if (!/^\d{1,11}$/.test(digits)) this.#refuse("@ is followed by seconds since 1970");
    const date = new Date(Number(digits) * 1000);
    const one = (start: number): CalendarField => [{ start, stop: undefined, repeat: 0 }];
    if (date.getUTCFullYear() > 2199) this.#refuse("the year is out of range");
    return {
      weekdays: weekdays.size === 0 || weekdays.size === 7 ? undefined : weekdays,
      year: one(date.getUTCFullYear()),
      month: one(date.getUTCMonth() + 1),
      day: one(date.getUTCDate()),
      fromMonthEnd: false,
      hour: one(date.getUTCHours()),
      minute: one(date.getUTCMinutes()),
      second: one(date.getUTCSeconds() * second),
      zone: "UTC",
    };
  }

  #within(
    field: CalendarField,
    { from, to: most, fromMonthEnd = false }: Limits,
    what: string,
  ): CalendarField {
    const to = fromMonthEnd ? most - 3 : most;
    const isValid = ({ start, stop, repeat }: CalendarStep): boolean => {
      if (start < from || start > to || repeat > to - from) return false;
      if (stop !== undefined) return stop >= from && stop <= to && start + repeat <= stop;
      return fromMonthEnd ? start - repeat >= from : start + repeat <= to;
    };
    if (field?.every(isValid) === false) this.#refuse(`the ${what} is out of range`);
    return field;
  }

  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  #atBreak(): boolean {
    return this.#peek() === "" || this.#peek() === " ";
  }

  #spaces(): void {
    while (this.#peek() === " ") this.#at += 1;
  }

  #take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #refuse(why: string): never {
    return refuse(this.#text, this.#at, why);
  }
}

/** A range ends on one of its steps; one that has no second step is a single value. */
function normalized({ start, stop, repeat }: CalendarStep): CalendarStep {
  if (stop === undefined) return { start, stop, repeat };
  const last = stop > start && repeat > 0 ? stop - ((stop - start) % repeat) : stop;
  if (start === last || (last > start && start + repeat > last)) return { start, stop: undefined, repeat: 0 };
  return { start, stop: last, repeat };
}

/** Years of two digits are of this century up to 69, and of the last one from 70 on. */
function fullYear({ start, stop, repeat }: CalendarStep): CalendarStep {
  const full = (year: number): number => (year < 70 ? year + 2000 : year < 100 ? year + 1900 : year);
  return { start: full(start), stop: stop === undefined ? undefined : full(stop), repeat };
}

function refuse(text: string, offset: number, why: string): never {
  const reason = `${JSON.stringify(text)} is no calendar event: ${why}`;
  throw new SystemdError("invalid-value", reason, { offset });
}
