import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Rest } from "../../src/leader/rest.ts";

describe("the leader's rest", () => {
  test("a few passes one after the other owe none", () => {
    const rest = new Rest(0);
    for (let nowMs = 200; nowMs <= 2000; nowMs += 200) assert.equal(rest.after(200, nowMs), 0);
    assert.equal(rest.after(200, 2200), 200);
  });

  test("what is left to others meanwhile counts", () => {
    const rest = new Rest(0);
    for (let nowMs = 300; nowMs < 45_000; nowMs += 300) assert.equal(rest.after(150, nowMs), 0);
  });

  test("a long quiet time is no credit for more", () => {
    const rest = new Rest(0);
    assert.equal(rest.after(2000, 1_000_000), 0);
    assert.equal(rest.after(100, 1_000_100), 100);
  });

  test("under a storm passes take half of the time, but for what is owed", () => {
    const pass = fc.record({ passMs: fc.integer({ min: 1, max: 600 }), idleMs: fc.nat(100) });
    fc.assert(
      fc.property(fc.array(pass, { minLength: 1, maxLength: 100 }), (passes) => {
        const rest = new Rest(0);
        let nowMs = 0;
        let busyMs = 0;
        for (const { passMs, idleMs } of passes) {
          nowMs += idleMs + passMs;
          busyMs += passMs;
          nowMs += rest.after(passMs, nowMs);
        }
        assert.ok(2 * busyMs <= nowMs + 2000, `${busyMs} ms of ${nowMs}`);
      }),
    );
  });
});
