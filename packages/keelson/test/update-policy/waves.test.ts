import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { defaultPolicy } from "../../src/model/update-service.ts";
import { placeOf, waveOpen } from "../../src/update-policy/waves.ts";
import { machineId } from "./fleet-under-test.ts";

const { waves } = defaultPolicy;
const place = (machine: number, turn?: "early" | "late"): number =>
  placeOf({ machine: machineId(machine), version: "2.0.0", turn }, waves);

describe("waves", () => {
  test("places are spread evenly, and others for another version", () => {
    const places = Array.from({ length: 20_000 }, (_, machine) => place(machine));
    for (const share of [5, 25, 50, 90]) {
      const below = places.filter((one) => one < share).length / 200;
      assert.ok(Math.abs(below - share) < 1.5, `${below} % below ${share}`);
    }
    assert.notEqual(place(1), placeOf({ machine: machineId(1), version: "3.0.0", turn: undefined }, waves));
  });

  test("early machines are in the first wave, late ones in the last", () => {
    fc.assert(
      fc.property(fc.nat(), (machine) => {
        assert.ok(place(machine, "early") < 5);
        assert.ok(place(machine, "late") >= 25 && place(machine, "late") < 100);
      }),
    );
  });

  test("what is open once stays open while nobody is lost, and earlier places are never behind later ones", () => {
    const numbers = fc.record({ granted: fc.nat(50), lapsed: fc.nat(10), ok: fc.nat(50) });
    fc.assert(
      fc.property(fc.nat(99), fc.nat(99), fc.nat(1e8), numbers, (one, other, now, counts) => {
        const progress = { began: 0, ...counts };
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        const opens = (where: number, when: number): boolean =>
          waveOpen(where, defaultPolicy, { now: when, progress }).open;
        if (opens(high, now)) assert.ok(opens(low, now));
        if (opens(low, now)) assert.ok(opens(low, now + 1000));
      }),
    );
  });

  test("a wave waits for successes of those before it, but for nobody who never was, or vanished", () => {
    const now = 4_000_000;
    const open = (granted: number, lapsed: number, ok: number) =>
      waveOpen(10, defaultPolicy, { now, progress: { began: 0, granted, lapsed, ok } });
    assert.deepEqual(open(1, 0, 0), { open: false, wave: 2, opensAt: 3_600_000, missing: 1 });
    assert.deepEqual(open(1, 0, 1), { open: true });
    assert.deepEqual(open(1, 1, 0), { open: true });
    assert.deepEqual(open(0, 0, 0), { open: true });
  });
});
