import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readRememberedHealth, type RememberedHealth } from "../../src/model/remembered-health.ts";

test("what was written is read, and anything else is nothing", () => {
  const health: RememberedHealth = {
    order: "hash 0 launched",
    invocation: "1",
    restarts: 2,
    counted: "",
    log: { failures: [{ at: 1, awake: 1 }], waitedMs: 0, tries: 1, waiting: { from: 1, until: 2 } },
    found: { state: "healthy", reason: "" },
  };
  assert.deepEqual(
    readRememberedHealth(JSON.stringify({ "a.service": health })),
    new Map([["a.service", health]]),
  );
  assert.equal(readRememberedHealth(JSON.stringify({ "a.service": { ...health, log: 1 } })), undefined);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const read = readRememberedHealth(text);
      assert.ok(read === undefined || read.size === 0);
    }),
  );
});
