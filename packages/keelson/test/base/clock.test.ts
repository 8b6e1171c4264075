import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as after } from "node:timers/promises";
import { systemClock } from "../../src/base/clock.ts";

test("what lies years ahead is waited for, and not over at once", async () => {
  const done: string[] = [];
  const enough = new AbortController();
  const timers = [2 ** 31, 1e15, Number.MAX_SAFE_INTEGER, Infinity].map((ms) =>
    systemClock.timer(ms, () => done.push(`timer ${ms}`)),
  );
  const sleeps = [2 ** 31, 1e15, Infinity].map((ms) => systemClock.sleep(ms, enough.signal));
  const ended = Promise.allSettled(sleeps.map((sleep) => sleep.then(() => done.push("sleep"))));
  await after(20);
  for (const timer of timers) timer.cancel();
  enough.abort();
  await ended;
  assert.deepEqual(done, []);
});
