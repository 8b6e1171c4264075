import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { weekdays } from "../../src/model/update-service.ts";
import type { UpdateWindow } from "../../src/model/update-service.ts";
import { Windows } from "../../src/update-policy/windows.ts";

const MINUTE = 60_000;
const berlin = "Europe/Berlin";
const at = (text: string): number => Date.parse(text);

const daily = (more: Partial<UpdateWindow>): UpdateWindow => ({
  days: [...weekdays],
  start: "02:30",
  minutes: 60,
  timezone: berlin,
  ...more,
});

describe("windows", () => {
  test("without any, it is always open", () => {
    assert.deepEqual(new Windows([]).at(0), { open: true, changesAt: undefined, timezone: "UTC" });
  });

  test("opens on its day at its time there", () => {
    const windows = new Windows([daily({ days: ["thu"], start: "04:00" })]);
    const state = windows.at(at("2026-11-18T12:00:00Z"));
    assert.deepEqual(state, { open: false, changesAt: at("2026-11-19T03:00:00Z"), timezone: berlin });
    assert.equal(windows.at(at("2026-11-19T03:00:00Z")).open, true);
    assert.equal(windows.at(at("2026-11-19T03:59:59Z")).changesAt, at("2026-11-19T04:00:00Z"));
    assert.equal(windows.at(at("2026-11-19T04:00:00Z")).open, false);
  });

  test("a missing hour starts it at the next minute there is", () => {
    // 2026-03-29 02:00 became 03:00, at 01:00 UTC.
    const windows = new Windows([daily({ days: ["sun"] })]);
    assert.equal(windows.at(at("2026-03-28T12:00:00Z")).changesAt, at("2026-03-29T01:00:00Z"));
    assert.equal(windows.at(at("2026-03-29T01:59:00Z")).changesAt, at("2026-03-29T02:00:00Z"));
  });

  test("a doubled hour counts once, the first", () => {
    // 2026-10-25 03:00 became 02:00, at 01:00 UTC: 02:30 was at 00:30 and at 01:30.
    const windows = new Windows([daily({ days: ["sun"], minutes: 15 })]);
    assert.equal(windows.at(at("2026-10-24T12:00:00Z")).changesAt, at("2026-10-25T00:30:00Z"));
    assert.equal(windows.at(at("2026-10-25T00:45:00Z")).changesAt, at("2026-11-01T01:30:00Z"));
    assert.equal(windows.at(at("2026-10-25T01:35:00Z")).open, false);
  });

  test("windows that touch are one", () => {
    const windows = new Windows([
      daily({ start: "01:00", timezone: "UTC" }),
      daily({ start: "02:00", minutes: 30, timezone: "UTC" }),
    ]);
    assert.equal(windows.at(at("2026-11-18T01:10:00Z")).changesAt, at("2026-11-18T02:30:00Z"));
  });

  test("one of a week is always open", () => {
    const windows = new Windows([daily({ days: ["mon"], minutes: 7 * 1440, timezone: "UTC" })]);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3e12 }), (now) => {
        assert.equal(windows.at(now).open, true);
      }),
      { numRuns: 50 },
    );
  });

  test("it is open exactly when a clock there says so, in every zone and through every change of clocks", () => {
    const zones = [
      berlin,
      "America/New_York",
      "Australia/Lord_Howe",
      "Asia/Kathmandu",
      "Pacific/Apia",
      "UTC",
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: 0, max: 23 }),
        fc.integer({ min: 1, max: 600 }),
        fc.subarray([...weekdays], { minLength: 1 }),
        fc.integer({ min: 20_000 * 1440, max: 21_000 * 1440 }),
        (timezone, hour, minutes, days, minute) => {
          const window = { days, start: `${String(hour).padStart(2, "0")}:00`, minutes, timezone };
          const now = minute * MINUTE;
          const { open } = new Windows([window]).at(now);
          // Back from now there is a minute that shows the start on one of its days, and no change of clocks hid it.
          const clock = new Intl.DateTimeFormat("en-GB", {
            timeZone: timezone,
            weekday: "short",
            hour: "2-digit",
            minute: "2-digit",
            hourCycle: "h23",
          });
          const shows = (when: number): string => clock.format(when).toLowerCase();
          const starts = days.map((day) => shows(0).replace(/.*/, `${day} ${window.start}`));
          let expected = false;
          for (let back = 0; back < minutes && !expected; back++)
            expected = starts.includes(shows(now - back * MINUTE).replace(",", ""));
          const shift = offset(now, timezone) !== offset(now - 25 * 3_600_000, timezone);
          if (!shift) assert.equal(open, expected, `${timezone} ${new Date(now).toISOString()}`);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("what is remembered is what is computed anew", () => {
    const windows = [daily({}), daily({ days: ["sat"], start: "23:30", minutes: 180, timezone: "UTC" })];
    const remembering = new Windows(windows);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 * 24 * 365 }), (minute) => {
        const now = at("2026-01-01T00:00:00Z") + minute * MINUTE;
        assert.deepEqual(remembering.at(now), new Windows(windows).at(now));
      }),
      { numRuns: 100 },
    );
  });
});

function offset(now: number, timezone: string): string {
  const parts = new Intl.DateTimeFormat("en", {
    timeZone: timezone,
    timeZoneName: "longOffset",
  }).formatToParts(now);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
}
