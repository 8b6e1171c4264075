import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Rest } from "../../src/leader/rest.ts";

describe("the leader's rest", () => {
  test("a few passes one after the other owe none", () => {
    const rest = new Rest(0);
    for (let nowMs = 150; nowMs <= 1500; nowMs += 150) assert.equal(rest.after(150, nowMs), 0);
    assert.equal(rest.after(150, 1650), 300);
  });

  test("what is left to others meanwhile counts", () => {
    const rest = new Rest(0);
    for (let nowMs = 450; nowMs < 45_000; nowMs += 450) assert.equal(rest.after(150, nowMs), 0);
  });

  test("a long quiet time is no credit for more", () => {
    const rest = new Rest(0);
    assert.equal(rest.after(1500, 1_000_000), 0);
    assert.equal(rest.after(100, 1_000_100), 200);
  });

  test("under a storm passes take a third of the time, but for what is owed", () => {
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
        assert.ok(3 * busyMs <= nowMs + 3000, `${busyMs} ms of ${nowMs}`);
      }),
    );
  });
});
