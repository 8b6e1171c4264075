// When a group's machines may update: days, a time of the day and a length, on the clock of a time zone. Only Intl
// knows time zones, and asking it is slow: the answer is kept for as long as it stays the same.
import { weekdays } from "../model/update-service.ts";
import type { UpdateWindow } from "../model/update-service.ts";
import { ClockFaces } from "./clock-faces.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

export interface WindowState {
  readonly open: boolean;
  /** When it closes or opens, Unix milliseconds; undefined when it never does. */
  readonly changesAt: number | undefined;
  /** Of the window that opens. */
  readonly timezone: string;
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly timezone: string;
}

/** The windows of a group. */
export class Windows {
  readonly #windows: readonly UpdateWindow[];
  readonly #clocks = new ClockFaces();
  #known: { from: number; to: number; state: WindowState } | undefined;

  constructor(windows: readonly UpdateWindow[]) {
    this.#windows = windows;
  }

  /** @param now Unix milliseconds of the wall's clock */
  at(now: number): WindowState {
    const known = this.#known;
    if (known !== undefined && now >= known.from && now < known.to) return known.state;
    const state = this.#compute(now);
    this.#known = { from: now, to: state.changesAt ?? now + DAY, state };
    return state;
  }

  #compute(now: number): WindowState {
    if (this.#windows.length === 0) return { open: true, changesAt: undefined, timezone: "UTC" };
    const spans = this.#windows.flatMap((window) => this.#spans(window, now)).sort((a, b) => a.from - b.from);
    let end: number | undefined;
    let timezone = "UTC";
    for (const span of spans) {
      if (span.from > (end ?? now) || span.to <= now) continue;
      if (end !== undefined && span.to <= end) continue;
      end = span.to;
      ({ timezone } = span);
    }
    if (end !== undefined) return { open: true, changesAt: end, timezone };
    const next = spans.find(({ from }) => from > now);
    return { open: false, changesAt: next?.from, timezone: next?.timezone ?? "UTC" };
  }

  /** Its openings from eight days ago, as the longest is a week, to nine days from now. */
  #spans({ days, start, minutes, timezone }: UpdateWindow, now: number): Span[] {
    const here = this.#clocks.at(now, timezone);
    const today = Math.floor(here / DAY);
    const [hours = 0, minute = 0] = start.split(":").map(Number);
    const spans: Span[] = [];
    for (let day = today - 8; day <= today + 9; day++) {
      // 1970-01-01 was a Thursday.
      const weekday = weekdays[(((day + 3) % 7) + 7) % 7];
      if (weekday === undefined || !days.includes(weekday)) continue;
      const from = this.#instant(day * DAY + (hours * 60 + minute) * MINUTE, timezone);
      spans.push({ from, to: from + minutes * MINUTE, timezone });
    }
    return spans;
  }

  /**
   * The instant at which the clock there shows this. Of a doubled hour the first; when the hour is missing, the
   * instant at which the clock jumps over it, which is the first one there is.
   */
  #instant(local: number, timezone: string): number {
    const offsets = [local - DAY, local + DAY].map((near) => this.#clocks.at(near, timezone) - near);
    const [before = 0, after = 0] = offsets;
    const candidates = [local - before, local - after].filter(
      (one) => this.#clocks.at(one, timezone) === local,
    );
    if (candidates.length > 0) return Math.min(...candidates);
    return this.#jump(Math.min(local - before, local - after), Math.max(local - before, local - after), {
      local,
      timezone,
    });
  }

  /** The first minute between two instants at which the clock there is past a time that it never shows. */
  #jump(low: number, high: number, { local, timezone }: { local: number; timezone: string }): number {
    let [before, after] = [low - MINUTE, high];
    while (after - before > MINUTE) {
      const middle = before + Math.floor((after - before) / 2 / MINUTE) * MINUTE;
      if (this.#clocks.at(middle, timezone) >= local) after = middle;
      else before = middle;
    }
    return after;
  }
}
