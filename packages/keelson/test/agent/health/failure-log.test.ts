import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  failuresOf,
  noFailures,
  pauseBefore,
  withFailures,
  withTry,
  withWait,
} from "../../../src/agent/health/failure-log.ts";

const windowMs = 600_000;

describe("failures", () => {
  test("only those within the time count, and the first and the last of them are told", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 2 * windowMs }), { minLength: 1, maxLength: 30 }),
        (gaps) => {
          let at = 0;
          const times = gaps.map((gap) => (at += gap));
          let log = noFailures;
          for (const time of times) log = withFailures(log, { at: time, count: 1, windowMs });
          const expected = times.filter((time) => at - time <= windowMs);
          assert.deepEqual(failuresOf(log), { count: expected.length, since: expected[0], last: at });
        },
      ),
    );
  });

  test("the time between the machine’s own tries makes no failure older", () => {
    let log = noFailures;
    let now = 0;
    for (let turn = 0; turn < 20; turn++) {
      log = withFailures(log, { at: now, count: 1, windowMs });
      const until = now + pauseBefore(log, false);
      log = withTry(withWait(log, now, until), until);
      now = until + 100;
    }
    assert.equal(failuresOf(log)?.count, 20);
  });

  test("pauses grow from 10 s to 5 min, and a first restart does not wait", () => {
    const pauses = (isRestart: boolean): number[] =>
      Array.from({ length: 8 }, (_, tries) => pauseBefore({ ...noFailures, tries }, isRestart) / 1000);
    assert.deepEqual(pauses(false), [10, 20, 40, 80, 160, 300, 300, 300]);
    assert.deepEqual(pauses(true), [0, 10, 20, 40, 80, 160, 300, 300]);
  });

  test("a great many are kept to a number that a status can hold", () => {
    const log = withFailures(noFailures, { at: 1, count: 1e9, windowMs });
    assert.equal(failuresOf(log)?.count, 200);
  });
});
