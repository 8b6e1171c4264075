import assert from "node:assert/strict";
import { test } from "node:test";
import { machineLook } from "../src/machine/machine-words.ts";
import { courseWords } from "../src/unit/unit-words.ts";
import { machine, unit } from "./clusters.ts";

const now = Date.UTC(2026, 0, 5);

test("what goes on with a unit: rollouts, timers, runs; nothing for most", () => {
  const words = (changes: Parameters<typeof unit>[1]): string =>
    courseWords(unit("web@.container", { wanted: 5, ...changes }), now);
  assert.equal(words({}), "");
  assert.equal(
    words({ rollout: { state: "running", updated: 2, reason: "" } }),
    "rolling out, 2 of 5 updated",
  );
  assert.equal(
    words({ rollout: { state: "reverted", updated: 0, reason: "m1 failed" } }),
    "went back to the version before: m1 failed",
  );
  const timer = { next: now + 90_000, last: now - 7_200_000, outcome: "started", reason: "" };
  assert.equal(words({ timer }), "next in 90 s, last 2 h ago: started");
  assert.equal(
    words({ timer: { ...timer, next: 0, last: 0, reason: "it is stopped" } }),
    "does not fire: it is stopped",
  );
  const run = { number: 4, state: "failed", ended: now - 600_000, reason: "exit status 1" };
  assert.equal(words({ run }), "run 4 failed 10 min ago: exit status 1");
});

test("a machine in a word", () => {
  const look = (changes: Parameters<typeof machine>[1]): string => machineLook(machine("m1", changes)).word;
  assert.equal(look({}), "healthy");
  assert.equal(look({ cordoned: true }), "takes no new units");
  assert.equal(look({ cordoned: true, drain: { reason: "" } }), "being drained");
  assert.equal(look({ state: "lost", cordoned: true }), "lost");
});
