import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FormError, decodeSystems } from "../src/api/decode.ts";
import type { MachineSystem } from "../src/api/records.ts";
import { slotLines } from "../src/machine/slot-words.ts";

const slots = { version: "1.2.0", slot: "a", onTrial: false, next: null, other: null, failed: [] };
const system = (change: Partial<MachineSystem> = {}): MachineSystem => ({
  machine: "m1",
  slots,
  step: null,
  ...change,
});

describe("slots of a machine in words", () => {
  test("a machine without slots has nothing to say", () => {
    assert.deepEqual(slotLines(undefined, null), []);
    assert.deepEqual(slotLines(system({ slots: null }), "1.3.0"), []);
  });

  test("what runs, what is in the other slot, what comes next", () => {
    assert.deepEqual(slotLines(system(), null), ["1.2.0 in slot a"]);
    const waiting = system({ slots: { ...slots, onTrial: true, next: "1.3.0", other: "1.3.0" } });
    assert.deepEqual(slotLines(waiting, null), [
      "1.2.0 in slot a, on trial, 1.3.0 in the other",
      "1.3.0 starts next",
    ]);
  });

  test("the update that is under way, and only that", () => {
    const step = { name: "staging", reason: "", progress: { done: 30, total: 90 } };
    assert.deepEqual(slotLines(system({ step }), "1.3.0"), ["1.2.0 in slot a", "writes 1.3.0, 33 %"]);
    assert.deepEqual(slotLines(system({ step }), null), ["1.2.0 in slot a"]);
    const words = ["waiting", "staged", "draining", "restarting", "failed"].map(
      (name) => slotLines(system({ step: { name, reason: "why", progress: null } }), "1.3.0")[1],
    );
    assert.equal(new Set(words).size, 5);
    for (const line of words) assert.match(line ?? "", /1\.3\.0.*: why$/);
    const done = { name: "done", reason: "", progress: null };
    assert.deepEqual(slotLines(system({ step: done }), "1.3.0"), ["1.2.0 in slot a"]);
  });

  test("what failed, the latest named, the rest counted", () => {
    const failed = [1, 2, 3, 4].map((n) => ({ version: `2.${n}.0`, reason: `reason ${n}`, at: n }));
    assert.deepEqual(slotLines(system({ slots: { ...slots, failed } }), null).slice(1), [
      "2.4.0 failed here: reason 4",
      "2.3.0 failed here: reason 3",
      "and 2 more that failed",
    ]);
  });

  test("the daemon's answer is read, an update that is over is none, garbage is named", () => {
    const machine = {
      machine: "m1",
      name: "m1",
      up: true,
      system: {
        ...slots,
        variant: "vm",
        keepsStore: true,
        failed: [{ version: "2.0.0", reason: "r", at: 1 }],
      },
      step: { name: "done", since: 1, reason: "", turn: 1, progress: null },
    };
    const update = { operation: "x", to: "1.3.0", state: "running" };
    const read = decodeSystems({ revision: 1, update, machines: [machine] });
    assert.equal(read.updateTo, "1.3.0");
    assert.deepEqual(read.machines[0]?.slots?.failed, [{ version: "2.0.0", reason: "r", at: 1 }]);
    assert.equal(decodeSystems({ update: { ...update, state: "done" }, machines: [] }).updateTo, null);
    assert.equal(decodeSystems({ update: null, machines: [] }).updateTo, null);
    for (const garbage of [null, {}, { update: 1, machines: [] }, { update: null, machines: [{}] }])
      assert.throws(() => decodeSystems(garbage), FormError);
  });
});
