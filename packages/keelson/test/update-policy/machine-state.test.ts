import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isAdvance, isUnderWay, machineStates, readReport } from "../../src/update-policy/machine-state.ts";
import { app, events, ledger, machineId, noon, report, request } from "./fleet-under-test.ts";

describe("machine states", () => {
  test("events of the protocol", () => {
    assert.deepEqual(readReport(events.downloading), { kind: "advance", to: "downloading" });
    assert.deepEqual(readReport({ type: 800, result: 1 }), { kind: "advance", to: "installed" });
    assert.deepEqual(readReport(events.unchanged), { kind: "arrival" });
    assert.deepEqual(readReport({ type: 3, result: 2 }), { kind: "arrival" });
    assert.deepEqual(readReport(events.rolledBack), { kind: "failure", code: 44, fellBack: true });
    // With update_engine's flag of a server of one's own.
    assert.deepEqual(readReport({ type: 3, result: 0, errorCode: 268_435_500 }), {
      kind: "failure",
      code: 268_435_500,
      fellBack: true,
    });
    assert.deepEqual(readReport({ type: 3, result: 9, errorCode: 36 }), { kind: "nothing" });
  });

  test("a state moves forward only, and only from a grant", () => {
    fc.assert(
      fc.property(fc.constantFrom(...machineStates), fc.constantFrom(...machineStates), (from, to) => {
        if (isAdvance(from, to)) assert.ok(isUnderWay(from) && !isAdvance(to, from));
      }),
    );
  });

  test("a periodic check that says nothing new leaves a machine that is up to date as it is", () => {
    const one = ledger();
    for (const previousVersion of ["", "0.0.0.0"]) {
      const event = { type: 3, result: 2, previousVersion };
      one.report(report(1, "unchanged", { version: "2.0.0", event }), noon);
      one.check(request(1, { version: "2.0.0" }), noon);
      assert.equal(one.why(app, machineId(1), noon).code, "current");
    }
    const without = { type: 3, result: 2 };
    one.report(report(1, "complete", { version: "2.0.0", event: without }), noon);
    assert.equal(one.why(app, machineId(1), noon).code, "current");
  });

  test("reports in any order, any number of times, end where the machine ends", () => {
    const names = ["downloading", "downloaded", "installed", "complete", "unchanged"] as const;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...names), { maxLength: 12 }), (said) => {
        const one = ledger();
        one.check(request(1), noon);
        for (const event of said) one.report(report(1, event), noon);
        assert.equal(one.state.group(app, "prod")?.taken, 1);
        one.report(report(1, "complete", { version: "2.0.0" }), noon);
        for (const event of said) one.report(report(1, event, { version: "2.0.0" }), noon);
        assert.equal(one.why(app, machineId(1), noon).code, "current");
        const state = one.state.group(app, "prod");
        assert.deepEqual([state?.taken, state?.rollouts.get("2.0.0")?.ok], [0, 1]);
      }),
    );
  });
});
