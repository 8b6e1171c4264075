import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describeReason } from "../../src/update-policy/reasons.ts";
import type { Reason } from "../../src/update-policy/reasons.ts";
import { HOUR, MINUTE, noon } from "./fleet-under-test.ts";

const sentences: readonly (readonly [Reason, string])[] = [
  [
    { code: "window", opensAt: noon + 15 * HOUR, timezone: "Europe/Berlin" },
    "waiting: window opens Thu 04:00",
  ],
  [
    { code: "slots", taken: 10, of: 10, nextAt: noon + 140 * MINUTE },
    "held: 10 of 10 slots used, next about 14:20",
  ],
  [
    {
      code: "quarantined",
      failure: { version: "2.0.0", words: "verity mismatch, went back to slot A", fellBack: false, tries: 3 },
      attempts: 3,
    },
    "failed: verity mismatch, went back to slot A, 3 times, quarantined",
  ],
  [
    { code: "quarantined", failure: { version: "2.0.0", code: 44, fellBack: true, tries: 1 }, attempts: 3 },
    "failed: went back from 2.0.0, quarantined",
  ],
  [
    {
      code: "ready",
      version: "2.0.0",
      failure: { version: "2.0.0", code: 268_435_465, fellBack: false, tries: 1 },
    },
    "failed: the download broke off, or the URL answered with an error, may try again at its next check",
  ],
  [
    { code: "halted", version: "2.0.0", by: "share", failed: 2, results: 5, since: noon - 24 * HOUR },
    "held: 2.0.0 was halted Tue 12:00, 2 of 5 machines failed",
  ],
  [
    {
      code: "halted",
      version: "2.0.0",
      by: "person",
      failed: 0,
      results: 0,
      since: noon - 24 * 10 * HOUR,
      who: "ada",
    },
    "held: 2.0.0 was halted 2026-11-08 12:00, by ada",
  ],
  [
    { code: "wave", version: "2.0.0", wave: 2, of: 3, opensAt: noon, missing: 1 },
    "waiting: wave 2 of 3 needs 1 more machine well on 2.0.0",
  ],
  [
    { code: "period", count: 5, seconds: 3600, nextAt: noon + MINUTE },
    "held: 5 began within one hour, next about 12:01",
  ],
  [
    { code: "updating", version: "2.0.0", state: "installed" },
    "updating: 2.0.0 is installed, waits for the restart, without a slot",
  ],
];

describe("reasons", () => {
  for (const [reason, sentence] of sentences)
    test(sentence, () => assert.equal(describeReason(reason, { now: noon }), sentence));

  test("times are told on the reader's clock", () => {
    const reason: Reason = { code: "slots", taken: 1, of: 1, nextAt: noon + HOUR };
    assert.equal(
      describeReason(reason, { now: noon, timezone: "Asia/Tokyo" }),
      "held: 1 of 1 slots used, next about 22:00",
    );
  });
});
