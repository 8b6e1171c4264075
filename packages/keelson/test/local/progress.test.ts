import assert from "node:assert/strict";
import { test } from "node:test";
import { asStep, formatBytes } from "../../src/local/progress.ts";

test("bytes are shown in the unit that suits them", () => {
  const shown = [0, 999, 1000, 61_440_000, 99_500_000, 999_499_999, 999_500_000, 3e12, 5e15].map(formatBytes);
  assert.deepEqual(shown, [
    "0 B",
    "999 B",
    "1.0 kB",
    "61.4 MB",
    "100 MB",
    "999 MB",
    "1.0 GB",
    "3.0 TB",
    "5000 TB",
  ]);
});

test("a step ends with its task, well or badly", async () => {
  const said: string[] = [];
  const progress = {
    step: (name: string) => ({
      update: (detail: string) => void said.push(`${name}: ${detail}`),
      done: (detail = "") => void said.push(`${name} done ${detail}`),
      fail: () => void said.push(`${name} failed`),
    }),
  };
  await asStep(
    progress,
    "one",
    async (step) => (step.update("half"), 7),
    (n) => `${n} things`,
  );
  await assert.rejects(
    asStep(progress, "two", () => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.deepEqual(said, ["one: half", "one done 7 things", "two failed"]);
});
