import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isFenced, noteOf, openNote, planSteps } from "../../src/agent/steps.ts";
import type { ActualUnit, Step } from "../../src/agent/steps.ts";
import type { UnitNote, UnitState } from "../../src/host/host.ts";
import type { ScheduleEntry } from "../../src/model/schedule.ts";
import { orderRecord } from "../registry/records.ts";

const hashes = ["a".repeat(64), "b".repeat(64)] as const;
const state = (active: string, load = "loaded"): UnitState => ({
  load,
  active,
  sub: "",
  invocation: "",
  since: 0,
  reason: "",
  restarts: 0,
});

const order = fc.record({
  hash: fc.constantFrom(...hashes),
  desired: fc.constantFrom("loaded", "launched"),
  restarts: fc.integer({ min: 0, max: 3 }),
  onPartition: fc.constantFrom("stop", "keep"),
  companion: fc.boolean(),
});
const toOrder = (fields: Partial<ScheduleEntry>): ScheduleEntry => orderRecord("a.service", fields);

const actual: fc.Arbitrary<ActualUnit> = fc.record({
  written: fc.option(
    fc.record({
      name: fc.constant("a.service"),
      hash: fc.constantFrom("", ...hashes),
      service: fc.constant("a.service"),
      enabled: fc.constant(false),
      note: fc.record({
        hash: fc.constantFrom("", ...hashes),
        desired: fc.constantFrom("loaded", "launched"),
        restarts: fc.integer({ min: -1, max: 3 }),
        fenced: fc.boolean(),
      }) as fc.Arbitrary<UnitNote>,
    }),
    { nil: undefined },
  ),
  state: fc.constantFrom("active", "activating", "inactive", "failed", "deactivating").map((it) => state(it)),
});

/** Carries one step out on a machine where everything succeeds. */
function after(step: Step, ordered: ScheduleEntry | undefined, unit: ActualUnit): ActualUnit {
  const written = unit.written ?? { name: "a.service", service: "a.service", enabled: false, hash: "" };
  switch (step) {
    case "write":
      assert.ok(ordered);
      return { ...unit, written: { ...written, hash: ordered.hash, note: openNote(ordered) } };
    case "await":
    case "start":
    case "restart":
      assert.ok(ordered);
      return { written: { ...written, note: noteOf(ordered) }, state: state("active") };
    case "stop":
      return { ...unit, state: state("inactive") };
    case "remove":
      return { written: undefined, state: state("inactive", "not-found") };
    case "note":
      assert.ok(ordered);
      return { ...unit, written: { ...written, note: noteOf(ordered) } };
  }
}

describe("planSteps", () => {
  test("every order is carried out in at most five steps, and then there is nothing to do", () => {
    fc.assert(
      fc.property(fc.option(order, { nil: undefined }), actual, (fields, start) => {
        const ordered = fields === undefined ? undefined : toOrder(fields as Partial<ScheduleEntry>);
        let unit = start;
        for (let taken = 0; taken < 5; taken++) {
          const [step] = planSteps(ordered, unit);
          if (step === undefined) break;
          unit = after(step, ordered, unit);
        }
        assert.deepEqual(planSteps(ordered, unit), []);
        assert.equal(unit.written?.hash, ordered?.hash);
        if (
          ordered?.desired === "loaded" &&
          !ordered.companion &&
          start.written?.note.desired === "launched"
        ) {
          assert.notEqual(unit.state.active, "active");
        }
      }),
    );
  });

  test("what was carried out is never touched again, whatever becomes of the unit", () => {
    for (const active of ["active", "activating", "inactive", "failed", "deactivating"]) {
      const ordered = toOrder({ hash: hashes[0] });
      const written = { name: "a.service", hash: hashes[0], service: "a.service", enabled: false };
      const unit = { written: { ...written, note: noteOf(ordered) }, state: state(active) };
      assert.deepEqual(planSteps(ordered, unit), []);
    }
  });

  test("a changed file is written and what runs is restarted", () => {
    const ordered = toOrder({ hash: hashes[1] });
    const note = noteOf(toOrder({ hash: hashes[0] }));
    const written = { name: "a.service", hash: hashes[0], service: "a.service", enabled: false, note };
    const first = { written, state: state("active") };
    assert.deepEqual(planSteps(ordered, first), ["write", "restart", "note"]);
    assert.deepEqual(planSteps(ordered, after("write", ordered, first)), ["restart", "note"]);
  });

  test("a unit that the fence stopped starts again, one that still runs is left alone", () => {
    const ordered = toOrder({ hash: hashes[0] });
    const note = { ...noteOf(ordered), hash: "" };
    const written = { name: "a.service", hash: hashes[0], service: "a.service", enabled: false, note };
    assert.deepEqual(planSteps(ordered, { written, state: state("inactive") }), ["start", "note"]);
    assert.deepEqual(planSteps(ordered, { written, state: state("active") }), ["note"]);
  });

  test("a loaded unit is fenced as a started one is: a socket may have started it", () => {
    for (const desired of ["loaded", "launched"] as const) {
      assert.equal(isFenced(toOrder({ desired, onPartition: "stop" })), true);
      assert.equal(isFenced(toOrder({ desired, onPartition: "keep" })), false);
    }
    assert.equal(isFenced(toOrder({ companion: true, onPartition: "stop" })), false);
  });

  test("companions are written and neither started nor stopped", () => {
    const ordered = toOrder({ companion: true });
    assert.deepEqual(planSteps(ordered, { written: undefined, state: state("active") }), ["write", "note"]);
  });
});
