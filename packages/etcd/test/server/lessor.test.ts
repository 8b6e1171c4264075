import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LeaseClock } from "../../src/server/lease-clock.ts";
import { Lessor } from "../../src/server/lessor.ts";

const lease = (id: bigint, ttl: number) => ({ id, ttl, keys: new Set<string>() });

describe("lessor", () => {
  test("leases run out when they are due, however they were renewed and revoked", () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("start" as const),
        id: fc.bigInt(1n, 8n),
        ttl: fc.integer({ min: 2, max: 20 }),
      }),
      fc.record({ kind: fc.constant("renew" as const), id: fc.bigInt(1n, 8n) }),
      fc.record({ kind: fc.constant("end" as const), id: fc.bigInt(1n, 8n) }),
      fc.record({ kind: fc.constant("wait" as const), milliseconds: fc.integer({ min: 1, max: 9000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const lessor = new Lessor();
        const expected = new Map<bigint, { ttl: number; expires: number }>();
        let now = 0;
        for (const step of steps) {
          if (step.kind === "start" && !expected.has(step.id)) {
            lessor.start(lease(step.id, step.ttl), now);
            expected.set(step.id, { ttl: step.ttl, expires: now + step.ttl * 1000 });
          } else if (step.kind === "renew") {
            const known = expected.get(step.id);
            assert.equal(lessor.renew(step.id, now), known?.ttl ?? 0);
            if (known !== undefined) known.expires = now + known.ttl * 1000;
          } else if (step.kind === "end") {
            lessor.end(step.id);
            expected.delete(step.id);
          } else if (step.kind === "wait") {
            now += step.milliseconds;
            const due = [...expected].filter(([, { expires }]) => expires <= now).map(([id]) => id);
            assert.deepEqual(new Set(lessor.due(now, 100)), new Set(due));
            for (const id of due) {
              assert.equal(lessor.renew(id, now), 0, "too late");
              lessor.end(id);
              expected.delete(id);
            }
          }
        }
        assert.equal(lessor.ids().length, expected.size);
      }),
    );
  });

  test("an end that could not be recorded is named again", () => {
    const lessor = new Lessor();
    lessor.start(lease(1n, 2), 0);
    assert.deepEqual(lessor.due(2000, 10), [1n]);
    assert.deepEqual(lessor.due(9000, 10), []);
    lessor.retry(1n, 3000);
    assert.deepEqual(lessor.due(3000, 10), [1n]);
  });

  test("leases that were revoked long before their time leave nothing behind", () => {
    const lessor = new Lessor();
    lessor.start(lease(1n, 5), 0);
    for (let id = 2n; id < 20_000n; id++) {
      lessor.start(lease(id, 9_000_000_000), 0);
      lessor.end(id);
    }
    assert.ok(lessor.alerts < 2000, `${lessor.alerts} alerts`);
    assert.deepEqual(lessor.due(6000, 10), [1n]);
  });

  test("no more than asked for at once", () => {
    const lessor = new Lessor();
    for (let id = 1n; id <= 10n; id++) lessor.start(lease(id, 2), 0);
    assert.equal(lessor.due(5000, 4).length, 4);
    assert.equal(lessor.due(5000, 100).length, 6);
  });
});

describe("lease clock", () => {
  test("a stall does not count, everything else does", () => {
    let real = 1000;
    const clock = new LeaseClock({ now: () => real }, 1000);
    for (let beat = 0; beat < 8; beat++) {
      real += 250;
      assert.equal(clock.beat(), 0);
    }
    assert.equal(clock.now(), 2000);
    real += 60_000;
    assert.ok(clock.now() <= 3000, "a reader before the beat sees no leap");
    assert.equal(clock.beat(), 60_000);
    assert.equal(clock.now(), 2000);
    real += 250;
    clock.beat();
    assert.equal(clock.now(), 2250);
  });
});
