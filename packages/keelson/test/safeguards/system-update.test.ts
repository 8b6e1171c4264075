import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { Intent } from "../../src/model/operation.ts";
import { intentSchema } from "../../src/model/operation.ts";
import type { SystemReport } from "../../src/model/system-update.ts";
import { progressOf } from "../../src/safeguards/progress.ts";
import { Bench, refusal } from "./bench.ts";

const ids = ["1", "2", "3"].map((digit) => digit.repeat(32));
const [one = "", two = "", three = ""] = ids;

const report = (machine: string, fields: Partial<SystemReport> = {}): SystemReport => ({
  machine,
  bootId: "boot",
  version: "1.0.0",
  variant: "vm",
  slot: "a",
  keepsStore: false,
  onTrial: false,
  failed: [],
  ...fields,
});

type Update = Extract<Intent, { kind: "update-system" }>;
const update = (fields: Partial<Update> = {}): Intent => ({
  kind: "update-system",
  to: "1.1.0",
  source: "/releases",
  machines: { all: true },
  atOnce: 1,
  again: false,
  ...fields,
});
const steer = (action: "pause" | "resume" | "abort"): Intent => ({ kind: "system-update", action });

describe("updates of the machines' system", () => {
  let bench = new Bench();
  const step = (machine: string, name: "draining" | "failed" | "done" | "staging", reason = "") => {
    const before = bench.systemUpdate;
    assert.ok(before);
    const steps = { ...before.steps, [machine]: { name, since: 1, reason, wasCordoned: false } };
    bench.systemUpdate = { ...before, steps };
  };
  beforeEach(() => {
    bench = new Bench();
    for (const [index, id] of ids.entries()) {
      bench.members.set(id, { id, name: `m${index + 1}`, address: "10.0.0.1", apiPort: 7411, joined: 0 });
      bench.systemReports.set(id, report(id, { keepsStore: index === 0 }));
    }
  });

  test("go through machines in order, the store's members last", () => {
    const { id, summary } = bench.do(update({ drainSeconds: 60, atOnce: 2 }));
    assert.equal(summary, "update the system of m2 and 2 more to 1.1.0");
    const { machines, state, atOnce, drainSeconds, source } = bench.systemUpdate ?? assert.fail();
    assert.deepEqual(machines, [two, three, one]);
    assert.deepEqual([state, atOnce, drainSeconds, source], ["running", 2, 60, "/releases"]);
    assert.equal(bench.systemUpdate?.id, id);
  });

  test("leave out who has it, and say who cannot have it", () => {
    bench.systemReports.set(two, report(two, { version: "1.1.0" }));
    bench.systemReports.delete(three);
    const planned = bench.plan(update());
    assert.deepEqual(planned.unchanged, ["m2"]);
    assert.ok(planned.notes.includes("m3 does not run from one of two slots: left as it is"));
    const named = update({ machines: { names: ["m1", "m3"] } });
    assert.equal(refusal(() => bench.plan(named)).code, "KEEL-872");
    assert.equal(refusal(() => bench.plan(update({ machines: { names: ["m9"] } }))).code, "KEEL-502");
    bench.systemReports.clear();
    assert.equal(refusal(() => bench.plan(update())).code, "KEEL-872");
  });

  test("go back only where the other slot has something", () => {
    bench.systemReports.set(one, report(one, { other: "0.9.0" }));
    const planned = bench.plan(update({ to: "previous" }));
    assert.equal(planned.operation.summary, "take m1 back to the version before");
    assert.ok(planned.notes.includes("m1 goes from 1.0.0 back to 0.9.0"));
    const failed = [{ version: "0.9.0", reason: "keeld did not come up", at: 1 }];
    bench.systemReports.set(one, report(one, { other: "0.9.0", failed }));
    assert.equal(refusal(() => bench.plan(update({ to: "previous" }))).code, "KEEL-872");
    bench.systemReports.set(one, report(one, { other: "0.9.0", failed, next: "0.9.0" }));
    assert.match(bench.plan(update({ to: "previous" })).notes.at(-1) ?? "", /^m1 gives up 0.9.0/);
    assert.match(planned.notes[0] ?? "", /^m2 and m3 have no good version/);
  });

  test("refuse a second one, one without a source, and a version that failed", () => {
    const { source: _, ...sourceless } = update() as Update;
    assert.equal(refusal(() => bench.plan(sourceless)).code, "KEEL-104");
    const failed = [{ version: "1.1.0", reason: "keeld did not come up", at: 1 }];
    bench.systemReports.set(two, report(two, { failed }));
    assert.match(refusal(() => bench.plan(update())).message, /m2 went back.*keeld did not come up/);
    bench.do(update({ again: true }));
    assert.equal(bench.systemUpdate?.steps[two]?.again, true);
    assert.equal(refusal(() => bench.plan(update())).code, "KEEL-871");
  });

  test("are paused and resumed, and who failed gets another turn", () => {
    assert.equal(refusal(() => bench.do(steer("pause"))).code, "KEEL-873");
    bench.do(update());
    bench.do(steer("pause"));
    assert.deepEqual([bench.systemUpdate?.state, bench.systemUpdate?.reason], ["paused", "paused by ada"]);
    assert.deepEqual(bench.do(steer("pause")).records ?? [], []);
    step(two, "failed", "went back");
    step(three, "done");
    bench.do(steer("resume"));
    const { steps, state } = bench.systemUpdate ?? assert.fail();
    assert.equal(state, "running");
    assert.deepEqual([steps[two]?.name, steps[two]?.again, steps[three]?.name], ["waiting", true, "done"]);
  });

  test("are ended: who was only drained takes units again", () => {
    const operation = bench.do(update());
    step(two, "draining");
    const drain = { since: 1, reason: "system update to 1.1.0" };
    bench.machineSettings.set(two, { machine: two, cordoned: true, metadata: { disk: "ssd" }, drain });
    bench.do({ kind: "undo", operation: operation.id });
    assert.equal(bench.systemUpdate?.state, "aborted");
    assert.equal(bench.systemUpdate?.steps[two]?.name, "staged", "to be taken back");
    assert.deepEqual(bench.machineSettings.get(two), {
      machine: two,
      cordoned: false,
      metadata: { disk: "ssd" },
    });
    assert.deepEqual(bench.do(steer("abort")).records ?? [], []);
    assert.equal(refusal(() => bench.do(steer("pause"))).code, "KEEL-873");
  });

  test("are followed machine by machine", () => {
    const operation = bench.do(update());
    const facts = { nowMs: bench.nowMs, waiting: new Map() };
    step(two, "done");
    step(three, "failed", "went back to 1.0.0");
    const running = progressOf(operation, bench.snapshot(), facts);
    assert.deepEqual(
      running.items.map(({ instance, state }) => [instance, state]),
      [
        ["m2", "ready"],
        ["m3", "failed"],
        ["m1", "pending"],
      ],
    );
    assert.equal(running.done, false);
    bench.systemUpdate = {
      ...(bench.systemUpdate ?? assert.fail()),
      state: "halted",
      reason: "m3 went back",
    };
    const halted = progressOf(operation, bench.snapshot(), facts);
    assert.deepEqual([halted.done, halted.outcome], [true, "partly"]);
    assert.match(halted.items[2]?.reason ?? "", /the update is halted \(m3 went back\)/);
  });

  test("are asked for in one form only", () => {
    const good = { kind: "update-system", to: "1.1.0", source: "/r", machines: { names: ["m1"] } };
    assert.ok(intentSchema.safeParse(good).success);
    for (const bad of [
      { ...good, to: "latest" },
      { ...good, to: "1.1" },
      { ...good, source: "a\nb" },
      { ...good, source: "" },
      { ...good, atOnce: 0 },
      { ...good, drainSeconds: 1e9 },
      { ...good, machines: "all" },
      { ...good, extra: 1 },
      { kind: "system-update", action: "stop" },
    ])
      assert.equal(intentSchema.safeParse(bad).success, false, JSON.stringify(bad));
  });
});
