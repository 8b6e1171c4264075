import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { livenessAt, staleMs } from "../src/live/liveness.ts";

const heard = { heardAt: 0, silentMs: 0, isOpen: true, retryAt: undefined };

describe("liveness", () => {
  test("a stream that speaks is live", () => {
    assert.equal(livenessAt(0, { ...heard, heardAt: undefined, isOpen: false }).kind, "connecting");
    assert.equal(livenessAt(10_000, heard).kind, "live");
    assert.equal(livenessAt(13_000, heard).kind, "behind");
    assert.equal(livenessAt(16_000, heard).kind, "stale");
  });

  test("a connection that broke says when it is tried again", () => {
    const broken = { ...heard, isOpen: false, retryAt: 5000 };
    assert.deepEqual(livenessAt(3000, broken), { kind: "behind", ageMs: 3000, retryMs: 2000 });
    assert.deepEqual(livenessAt(20_000, broken), { kind: "stale", ageMs: 20_000, retryMs: 0 });
  });

  test("a daemon that does not hear the store is behind by as much", () => {
    assert.equal(livenessAt(0, { ...heard, silentMs: 1000 }).kind, "live");
    assert.deepEqual(livenessAt(1000, { ...heard, silentMs: 4000 }), {
      kind: "behind",
      ageMs: 5000,
      retryMs: undefined,
    });
    assert.equal(livenessAt(1000, { ...heard, silentMs: 60_000 }).kind, "stale");
  });

  test("property: what is older than the limit is never called live", () => {
    const facts = fc.record({
      heardAt: fc.constant(0),
      silentMs: fc.nat(60_000),
      isOpen: fc.boolean(),
      retryAt: fc.constant(undefined),
    });
    fc.assert(
      fc.property(fc.nat(60_000), facts, (now, it) => {
        const { kind } = livenessAt(now, it);
        assert.equal(kind === "stale", now + it.silentMs > staleMs);
      }),
    );
  });
});
