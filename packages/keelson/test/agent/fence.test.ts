import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { decideFence, fenceMargins } from "../../src/agent/fence.ts";

const leaseMs = 6000;
const time = fc.integer({ min: 0, max: 100_000 });
const maybe = fc.option(time, { nil: undefined });

describe("decideFence", () => {
  test("never lets units run when the lease may be over for others, and the fence acts between stop and kill", () => {
    fc.assert(
      fc.property(time, maybe, maybe, maybe, (now, renewedAt, provenAt, inheritedFenceAt) => {
        const decision = decideFence({ now, leaseMs, renewedAt, provenAt, inheritedFenceAt });
        if (decision === undefined) {
          return assert.deepEqual([renewedAt, provenAt, inheritedFenceAt], [undefined, undefined, undefined]);
        }
        const { action, fenceAt, nextAt } = decision;
        const end = fenceAt + fenceMargins.fenceMs;
        if (renewedAt !== undefined || provenAt !== undefined) {
          assert.equal(end, Math.max(renewedAt ?? -Infinity, provenAt ?? -Infinity) + leaseMs);
        }
        if (action === "none") assert.ok(now < end - fenceMargins.stopMs);
        if (action === "stop") assert.ok(now >= fenceAt - 300 && now < end);
        if (action === "kill") assert.ok(now >= end - fenceMargins.killMs);
        assert.ok(nextAt > now);
      }),
    );
  });

  test("looks for proof when a renewal is overdue, and not before", () => {
    const at = (now: number) =>
      decideFence({ now, leaseMs, renewedAt: 0, provenAt: undefined, inheritedFenceAt: undefined });
    assert.equal(at(1900)?.seekProof, false);
    assert.equal(at(2000)?.seekProof, true);
    assert.deepEqual(
      [0, 4499, 4500, 5499, 5500].map((now) => at(now)?.action),
      ["none", "none", "stop", "stop", "kill"],
    );
  });

  test("a proof moves the deadline on by a full lease", () => {
    const decision = decideFence({
      now: 9000,
      leaseMs,
      renewedAt: 0,
      provenAt: 4000,
      inheritedFenceAt: undefined,
    });
    assert.equal(decision?.action, "stop");
    assert.equal(decision?.fenceAt, 10_000 - fenceMargins.fenceMs);
  });
});
