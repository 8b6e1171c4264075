import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import fc from "fast-check";
import { nextElapse, parseCalendar, SystemdError } from "@keelson/systemd";

const at = (text: string): number => Date.parse(text);
const iso = (ms: number | undefined): string => (ms === undefined ? "never" : new Date(ms).toISOString());

function elapses(event: string, from: string, count: number): string[] {
  const spec = parseCalendar(event);
  const found: string[] = [];
  for (let after: number | undefined = at(from); after !== undefined && found.length < count;) {
    after = nextElapse(spec, after);
    if (after !== undefined) found.push(iso(after));
  }
  return found;
}

const two = (least: number, most: number): fc.Arbitrary<string> =>
  fc.integer({ min: least, max: most }).map((value) => String(value).padStart(2, "0"));

/** A field as people write it: a value, a list, a range, a step. */
const field = (least: number, most: number): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant("*") },
    { weight: 3, arbitrary: two(least, most) },
    fc.array(two(least, most), { minLength: 2, maxLength: 4 }).map((values) => values.join(",")),
    fc.tuple(two(least, most), two(least, most)).map(([a, b]) => (a < b ? `${a}..${b}` : `${b}..${a}`)),
    fc.tuple(two(least, most), fc.integer({ min: 1, max: 20 })).map(([a, step]) => `${a}/${step}`),
    fc
      .tuple(two(least, most), two(least, most), fc.integer({ min: 1, max: 9 }))
      .map(([a, b, step]) => `${a < b ? a : b}..${a < b ? b : a}/${step}`),
  );
const day = fc.constantFrom("Mon", "Tue", "wed", "Thursday", "Fri", "Sat", "Sun");
const weekdays = fc.oneof(
  { weight: 3, arbitrary: fc.constant("") },
  day.map((name) => `${name} `),
  fc.array(day, { minLength: 2, maxLength: 3 }).map((days) => `${days.join(",")} `),
  fc.constantFrom("Mon..Fri ", "Sat..Sun ", "Tue-Thu,Sat "),
);
const date = fc.oneof(
  fc.constant("*-*-*"),
  fc.tuple(field(1, 12), field(1, 28)).map(([month, day]) => `*-${month}-${day}`),
  // systemd takes three days more off the range for each further value of a list.
  fc.tuple(field(1, 12), field(1, 19)).map(([month, day]) => `*-${month}~${day}`),
  fc
    .tuple(fc.constantFrom("2027", "2028..2030", "*"), field(1, 12), field(1, 31))
    .map((all) => all.join("-")),
  fc.tuple(field(1, 12), field(1, 28)).map((parts) => parts.join("-")),
);
const time = fc.oneof(
  fc.constant(""),
  fc.tuple(field(0, 23), field(0, 59)).map((parts) => ` ${parts.join(":")}`),
  fc.tuple(field(0, 23), field(0, 59), field(0, 59)).map((parts) => ` ${parts.join(":")}`),
);
const event = fc.tuple(weekdays, date, time).map((parts) => parts.join(""));

const letters = Array.from("0123456789*-~:,./ @MonFriUTC");

describe("calendar events", () => {
  test("shorthands mean what the manual says", () => {
    assert.deepEqual(elapses("weekly", "2026-01-01T00:00:00Z", 2), [
      "2026-01-05T00:00:00.000Z",
      "2026-01-12T00:00:00.000Z",
    ]);
    assert.deepEqual(elapses("quarterly", "2026-01-01T00:00:00Z", 2), [
      "2026-04-01T00:00:00.000Z",
      "2026-07-01T00:00:00.000Z",
    ]);
    assert.deepEqual(elapses("MINUTELY", "2026-01-01T00:00:01Z", 1), ["2026-01-01T00:01:00.000Z"]);
  });

  test("the last day of a month, and the last Monday", () => {
    assert.deepEqual(elapses("*-02~01", "2027-01-01T00:00:00Z", 2), [
      "2027-02-28T00:00:00.000Z",
      "2028-02-29T00:00:00.000Z",
    ]);
    assert.deepEqual(elapses("Mon *-05~07/1", "2026-01-01T00:00:00Z", 1), ["2026-05-25T00:00:00.000Z"]);
  });

  test("parts of a second", () => {
    assert.deepEqual(elapses("*:*:0/0.5", "2026-01-01T00:00:00Z", 2), [
      "2026-01-01T00:00:00.500Z",
      "2026-01-01T00:00:01.000Z",
    ]);
  });

  test("a time that a zone leaves out does not come, and one that comes twice comes once", () => {
    assert.deepEqual(elapses("*-*-* 02:30 Europe/Vienna", "2026-03-28T00:00:00Z", 2), [
      "2026-03-28T01:30:00.000Z",
      "2026-03-30T00:30:00.000Z",
    ]);
    assert.deepEqual(elapses("*-*-* 02:30 Europe/Vienna", "2026-10-24T12:00:00Z", 2), [
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z",
    ]);
    const around = elapses("*:0/30 Europe/Vienna", "2026-10-24T23:59:00Z", 6);
    assert.deepEqual(around, [
      "2026-10-25T00:00:00.000Z",
      "2026-10-25T00:30:00.000Z",
      "2026-10-25T02:00:00.000Z",
      "2026-10-25T02:30:00.000Z",
      "2026-10-25T03:00:00.000Z",
      "2026-10-25T03:30:00.000Z",
    ]);
  });

  test("what cannot come never elapses", () => {
    assert.equal(nextElapse(parseCalendar("*-02-30"), at("2026-01-01T00:00:00Z")), undefined);
    assert.equal(nextElapse(parseCalendar("2020-01-01"), at("2026-01-01T00:00:00Z")), undefined);
  });

  test("each elapse lies behind the one before, and none lies between", () => {
    fc.assert(
      fc.property(
        event,
        fc.integer({ min: 0, max: 4e9 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (text, from, share) => {
          const spec = tried(text);
          if (spec === undefined) return;
          const first = nextElapse(spec, from * 1000, "Europe/Vienna");
          if (first === undefined) return;
          assert.ok(first > from * 1000);
          const between = Math.floor(from * 1000 + share * (first - from * 1000 - 1));
          assert.equal(nextElapse(spec, between, "Europe/Vienna"), first);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("garbage is refused with its place", () => {
    for (const text of [
      "",
      "Mon..",
      "25:00",
      "*-13-01",
      "Fri..Mon",
      "1:2:3:4",
      "*/5",
      "@",
      "daily x",
      "12",
    ]) {
      assert.throws(() => parseCalendar(text), isRefusal, text);
    }
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...letters) }), (text) => {
        try {
          parseCalendar(text);
        } catch (error) {
          assert.ok(isRefusal(error));
        }
      }),
    );
  });

  test("agrees with systemd-analyze", (t) => {
    if (spawnSync("systemd-analyze", ["--version"]).error !== undefined) {
      t.skip("systemd-analyze is not installed");
      return;
    }
    const fixed = [
      "daily",
      "weekly",
      "Mon *-05~07/1",
      "*-*~01..03",
      "Mon..Fri 9..17:0/20",
      "*:*:7/13",
      "70-01-01",
    ];
    const zoned = fixed.map((text) => `${text} America/New_York`);
    const drawn = fc.sample(event, { seed: 11, numRuns: 60 });
    const wrong = ["Mon..", "25:00", "*-13-01", "*-*-32", "1..2/5:00", "*-*~30", "10..5:00", "*:*:60"];
    for (const text of [...fixed, ...zoned, ...drawn, ...wrong]) {
      assert.deepEqual(ours(text), systemds(text), text);
    }
  });
});

const isRefusal = (error: unknown): boolean =>
  error instanceof SystemdError && error.code === "invalid-value";

function tried(text: string): ReturnType<typeof parseCalendar> | undefined {
  try {
    return parseCalendar(text);
  } catch (error) {
    assert.ok(isRefusal(error));
    return undefined;
  }
}

const base = "2026-02-11T10:20:30Z";
const rounds = 4;

function ours(text: string): string[] {
  const spec = tried(text);
  if (spec === undefined) return ["refused"];
  return elapses(text, base, rounds).map((time) => time.slice(0, 19));
}

function systemds(text: string): string[] {
  const argv = ["calendar", `--iterations=${rounds}`, "--base-time=2026-02-11 10:20:30 UTC", text];
  const { status, stdout } = spawnSync("systemd-analyze", argv, {
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC", LC_ALL: "C", SYSTEMD_COLORS: "0" },
  });
  if (status !== 0) return ["refused"];
  return [...stdout.matchAll(/(?:\(in UTC\)|Next elapse|Iter\. #\d+): \w+ ([\d-]+) ([\d:]+)[.\d]* UTC/g)].map(
    ([, day, hour]) => `${day}T${hour}`,
  );
}
