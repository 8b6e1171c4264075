import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeelError } from "../../src/base/errors.ts";
import { formatDuration, parseDuration } from "../../src/cli/duration.ts";

describe("spans of time", () => {
  test("are read as people write them", () => {
    const cases = {
      "90": 90_000,
      "1.5": 1500,
      "250ms": 250,
      "90s": 90_000,
      "1h30m": 5_400_000,
      "2d": 172_800_000,
    };
    for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text, "--timeout"), ms, text);
  });

  test("nonsense is refused by name", () => {
    for (const text of ["", "soon", "5 minutes", "-5s", "1h30", "5y"]) {
      assert.throws(
        () => parseDuration(text, "--timeout"),
        (error) =>
          error instanceof KeelError && error.code === "KEEL-104" && error.message.startsWith("--timeout"),
        text,
      );
    }
  });

  test("are shown in the unit that fits", () => {
    const cases: [number, string][] = [
      [12, "12 ms"],
      [999.4, "999 ms"],
      [2440, "2.4 s"],
      [59_960, "1m 0s"],
      [200_000, "3m 20s"],
      [18_120_000, "5h 2m"],
      [273_600_000, "3d 4h"],
    ];
    for (const [ms, text] of cases) assert.equal(formatDuration(ms), text);
  });

  test("whole seconds read back what was written as seconds", () => {
    fc.assert(fc.property(fc.nat(1e9), (seconds) => parseDuration(`${seconds}s`, "x") === seconds * 1000));
  });
});
