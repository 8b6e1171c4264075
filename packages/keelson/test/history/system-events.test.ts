import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemEvents } from "../../src/history/system-events.ts";
import type { SystemUpdate, UpdateStepName } from "../../src/model/system-update.ts";

const one = "1".repeat(32);
const update = (name: UpdateStepName, fields: Partial<SystemUpdate> = {}): SystemUpdate => ({
  id: "u1",
  to: "1.1.0",
  atOnce: 1,
  state: "running",
  reason: "",
  machines: [one],
  steps: { [one]: { name, since: 5, reason: name === "failed" ? "went back" : "" } },
  started: 1,
  changed: 7,
  ...fields,
});
const told = (before: SystemUpdate | undefined, after: SystemUpdate | undefined): readonly string[] =>
  systemEvents(before, after).map(({ draft: { text, why, at }, machine }) =>
    [machine === one ? "m1" : "-", text, why ?? "", String(at)].join("|"),
  );

describe("what is told of an update of the system", () => {
  test("each step that says something, once", () => {
    assert.deepEqual(told(undefined, update("waiting")), []);
    assert.deepEqual(told(update("waiting"), update("staging")), ["m1|writes the system 1.1.0||5"]);
    assert.deepEqual(told(update("staging"), update("staging")), []);
    assert.deepEqual(told(update("staged"), update("restarting")), ["m1|restarts into the system 1.1.0||5"]);
  });

  test("the end, and why", () => {
    const halted = update("failed", { state: "halted", reason: "m1 went back" });
    assert.deepEqual(told(update("restarting"), halted), [
      "m1|could not take the system 1.1.0|went back|5",
      "-|the update of the system (1.1.0) is halted|m1 went back|7",
    ]);
    assert.deepEqual(told(halted, undefined), []);
    const other = update("done", { id: "u2", to: "previous", state: "done" });
    assert.deepEqual(told(halted, other), [
      "m1|runs the system before||5",
      "-|the update of the system (previous) is done||7",
    ]);
  });
});
