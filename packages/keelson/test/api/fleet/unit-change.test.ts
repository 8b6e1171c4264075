import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { currentState, endOfJob } from "../../../src/api/fleet/current-state.ts";
import type { StateSources } from "../../../src/api/fleet/current-state.ts";
import { HeldStates } from "../../../src/api/fleet/held-states.ts";
import { readMetadataPatch } from "../../../src/api/fleet/metadata-patch.ts";
import { optionsHash } from "../../../src/api/fleet/options.ts";
import { unitChange } from "../../../src/api/fleet/unit-change.ts";
import type { Job } from "../../../src/model/job.ts";
import { SimulatedClock } from "../../../src/base/simulated-clock.ts";
import { orderRecord, statusRecord } from "../../registry/records.ts";

const options = [{ section: "Service", name: "ExecStart", value: "/bin/true" }];
const others = [{ section: "Service", name: "ExecStart", value: "/bin/false" }];
const ask = { name: "a.service", bodyName: "a.service", options, desiredState: "" };
const existing = { desired: "launched", hash: optionsHash(options) } as const;

describe("what a PUT means", () => {
  test("a new unit is inactive unless the request says otherwise", () => {
    const change = unitChange(ask, undefined);
    assert.equal(change.status, 201);
    assert.ok("intent" in change && change.intent.kind === "submit");
    assert.equal(change.intent.desired, "inactive");
    const body = Buffer.from(change.intent.files[0]?.body ?? "", "base64").toString();
    assert.equal(body, "[Service]\nExecStart=/bin/true\n");
    const launched = unitChange({ ...ask, desiredState: "launched" }, undefined);
    assert.equal("desired" in launched && launched.desired, "launched");
  });

  test("other content without a state takes the unit down to inactive", () => {
    const change = unitChange({ ...ask, options: others }, existing);
    assert.ok("intent" in change && change.intent.kind === "submit");
    assert.deepEqual([change.intent.desired, change.intent.exactly, change.status], ["inactive", true, 201]);
  });

  test("the same content is no change of content", () => {
    assert.deepEqual(unitChange(ask, existing), {
      status: 409,
      refusal: "must provide DesiredState to update existing unit",
    });
    const change = unitChange({ ...ask, desiredState: "loaded" }, existing);
    assert.ok("intent" in change && change.intent.kind === "set-desired");
    assert.equal(change.status, 204);
  });

  test("a template is stored and not activated; another content leaves its replicas as they are", () => {
    const template = { ...ask, name: "a@.service", bodyName: "" };
    const stored = unitChange(template, undefined);
    assert.ok("intent" in stored && stored.intent.kind === "submit" && stored.intent.exactly === false);
    assert.deepEqual(unitChange({ ...template, desiredState: "launched" }, existing), {
      status: 400,
      refusal: 'cannot activate template "a@.service"',
    });
    assert.equal(unitChange({ ...template, desiredState: "inactive" }, existing).status, 204);
  });

  test("refusals", () => {
    assert.equal(unitChange({ ...ask, bodyName: "b.service" }, undefined).status, 400);
    assert.equal(unitChange({ ...ask, desiredState: "running" }, existing).status, 400);
    assert.deepEqual(unitChange({ ...ask, options: [] }, undefined), {
      status: 409,
      refusal: "unit does not exist and options field empty",
    });
    for (const name of [".service", "a", "a.", "@a.service", "ä.service", `${"a".repeat(300)}.service`])
      assert.throws(() => unitChange({ ...ask, name, bodyName: "" }, undefined), { code: "KEEL-103" }, name);
  });
});

describe("fleet’s current state", () => {
  const state = (
    desired: "inactive" | "loaded" | "launched",
    order?: Parameters<typeof orderRecord>[1],
    status?: Parameters<typeof statusRecord>[1],
    more: Partial<StateSources> & { readonly asked?: number } = {},
  ) =>
    currentState({
      record: { desired, restarts: more.asked ?? 0 },
      entry: order && orderRecord("a.service", order),
      status: status && statusRecord("a.service", status),
      job: more.job,
    });

  test("inactive while no machine reports it", () => {
    assert.equal(state("launched"), "inactive");
    assert.equal(state("launched", {}), "inactive");
  });

  test("launched when the order was carried out, whatever became of it", () => {
    assert.equal(state("launched", {}, {}), "launched");
    assert.equal(state("launched", {}, { active: "failed", health: "failed" }), "launched");
    assert.equal(state("launched", {}, { active: "inactive", steps: { started: 1 } }), "launched");
    assert.equal(state("launched", {}, { active: "inactive", health: "stopped" }), "loaded", "not begun yet");
    assert.equal(state("launched", { restarts: 1 }, { restarts: 0 }), "loaded");
    assert.equal(state("launched", {}, { hash: "" }), "loaded");
    assert.equal(state("launched", {}, {}, { asked: 1 }), "loaded", "the leader has not ordered the restart");
    assert.equal(state("launched", { desired: "loaded" }, {}), "loaded");
  });

  test("launched when systemd would not start it, and its machine tries on", () => {
    const refused = { active: "inactive", health: "unknown", restarts: -1, reason: "failed" } as const;
    assert.equal(state("launched", {}, { ...refused, steps: { started: 1 } }), "launched");
    assert.equal(state("launched", {}, { ...refused, steps: {} }), "loaded", "waits for a file");
    const begun = { ...refused, reason: "", steps: { started: 1 } };
    assert.equal(state("launched", {}, begun), "loaded", "its first try goes on");
    const other = { ...refused, steps: { started: 1 }, hash: "" };
    assert.equal(state("launched", {}, other), "loaded", "by another file");
  });

  test("what is loaded and still runs is launched", () => {
    assert.equal(state("loaded", { desired: "loaded" }, { active: "active" }), "launched");
    assert.equal(state("loaded", { desired: "loaded" }, { active: "deactivating" }), "launched");
    assert.equal(state("loaded", { desired: "loaded" }, { active: "inactive" }), "loaded");
    assert.equal(state("inactive", undefined, { active: "active" }), "launched");
  });

  test("what runs to its end is launched from its first attempt on", () => {
    const run = (changes: object) => ({ state: "waiting", machine: "", hash: "h", ...changes });
    const job = (runs: readonly object[], restarts = 0) => ({ job: { restarts, runs } as unknown as Job });
    assert.equal(state("launched", undefined, undefined, job([run({})])), "inactive");
    assert.equal(state("launched", undefined, undefined, job([run({ machine: "m1" })])), "launched");
    const ended = job([run({ machine: "m1", state: "succeeded" })]);
    assert.equal(state("launched", undefined, undefined, ended), "launched");
    assert.equal(state("launched", undefined, undefined, { ...ended, asked: 1 }), "inactive");
    assert.equal(endOfJob(ended.job)?.active, "active");
    assert.equal(endOfJob(job([run({ machine: "m1", state: "failed" })]).job)?.active, "failed");
    assert.equal(endOfJob(job([run({ machine: "m1", state: "running" })]).job), undefined);
  });
});

describe("a state that is told once more", () => {
  test("restart reads launched once, stop reads it and then the truth", async () => {
    const clock = new SimulatedClock();
    const held = new HeldStates(clock);
    held.hold("a.service");
    assert.equal(held.read("b.service", "loaded"), "loaded");
    await clock.advance(5000);
    assert.equal(held.read("a.service", "loaded"), "launched");
    assert.equal(held.read("a.service", "loaded"), "loaded");
  });

  test("it hides nothing but loaded, ends with the next change, and is forgotten", async () => {
    const clock = new SimulatedClock();
    const held = new HeldStates(clock);
    held.hold("a.service");
    assert.equal(held.read("a.service", "inactive"), "inactive");
    held.release("a.service");
    assert.equal(held.read("a.service", "loaded"), "loaded");
    held.hold("a.service");
    await clock.advance(61_000);
    assert.equal(held.read("a.service", "loaded"), "loaded");
  });
});

describe("a patch of metadata", () => {
  test("both forms of a value, several machines, the last word counts", () => {
    const patch = readMetadataPatch([
      { op: "add", path: "/abc/metadata/region", value: "eu" },
      { op: "replace", path: "/abc/metadata/disk", value: { value: "ssd" } },
      { op: "remove", path: "/def/metadata/region" },
      { op: "replace", path: "/abc/metadata/region", value: "us" },
    ]);
    assert.deepEqual(Object.fromEntries(patch), { abc: { region: "us", disk: "ssd" }, def: { region: "" } });
  });

  for (const [what, json, words] of [
    ["another operation", [{ op: "move", path: "/a/metadata/b", value: "c" }], /invalid op/],
    ["another path", [{ op: "add", path: "/a/b", value: "c" }], /path invalid/],
    ["a path of more", [{ op: "add", path: "/a/metadata/b/c", value: "c" }], /path invalid/],
    ["no value", [{ op: "add", path: "/a/metadata/b" }], /require a value/],
    ["an empty value", [{ op: "replace", path: "/a/metadata/b", value: { value: "" } }], /require a value/],
    ["no list", { op: "add" }, /no list/],
    ["nothing", null, /no list/],
    ["a number", [{ op: "add", path: "/a/metadata/b", value: 5 }], /no list/],
  ] as const) {
    test(`refused: ${what}`, () => {
      assert.throws(() => readMetadataPatch(json), { code: "KEEL-583", message: words });
    });
  }
});
