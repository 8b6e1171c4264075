import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nextDue, parseSchedule } from "../../src/backup/schedule.ts";

const hour = 3_600_000;

describe("the schedule of backups", () => {
  test("a span counts from the newest backup; without one it is due at once", () => {
    const schedule = parseSchedule("every 6h");
    assert.equal(nextDue(schedule, 10 * hour), 16 * hour);
    assert.equal(nextDue(schedule, undefined), 0);
    assert.deepEqual(parseSchedule("every 30m"), { kind: "every", ms: hour / 2 });
  });

  test("a time of day is the next one after the newest backup, in UTC", () => {
    const schedule = parseSchedule("daily at 03:30");
    assert.equal(nextDue(schedule, 2 * hour), 3.5 * hour);
    assert.equal(nextDue(schedule, 3.5 * hour), 27.5 * hour);
    assert.equal(nextDue(schedule, 23 * hour), 27.5 * hour);
  });

  test("anything else is refused", () => {
    const wrong = [
      "",
      "6h",
      "every 0h",
      "every 5s",
      "every 999999d",
      "daily at 24:00",
      "daily at 3:30",
      "0 3 * * *",
    ];
    for (const text of wrong) assert.throws(() => parseSchedule(text), { code: "KEEL-106" });
  });
});
