import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { Intent } from "../../src/model/operation.ts";
import { Bench, refusal } from "./bench.ts";

const id = "1".repeat(32);
const cordon = (cordoned: boolean, machine = "m1"): Intent => ({ kind: "cordon", machine, cordoned });
const metadata = (values: Readonly<Record<string, string>>): Intent => ({
  kind: "set-metadata",
  machine: "m1",
  metadata: { ...values },
});

describe("what people say of a machine", () => {
  let bench = new Bench();
  beforeEach(() => {
    bench = new Bench();
    bench.members.set(id, { id, name: "m1", address: "10.0.0.1", apiPort: 7411, joined: 0 });
  });

  test("is kept while it says something, and gone with the last word", () => {
    bench.do(cordon(true));
    assert.deepEqual(bench.machineSettings.get(id), { machine: id, cordoned: true, metadata: {} });
    bench.do(cordon(false));
    assert.equal(bench.machineSettings.size, 0);
    bench.do(metadata({ disk: "ssd" }));
    bench.do(cordon(true));
    bench.do(cordon(false));
    assert.deepEqual(bench.machineSettings.get(id)?.metadata, { disk: "ssd" });
  });

  test("changes nothing twice", () => {
    assert.deepEqual(bench.do(cordon(false)).records, []);
    bench.do(cordon(true));
    const again = bench.do(cordon(true));
    assert.deepEqual([again.records, again.summary], [[], "cordon m1 (no change)"]);
  });

  test("can be undone, step by step, unless it was changed since", () => {
    const first = bench.do(cordon(true));
    bench.do(metadata({ disk: "ssd" }));
    assert.equal(refusal(() => bench.do({ kind: "undo", operation: first.id })).code, "KEEL-507");
    bench.do({ kind: "undo" });
    assert.deepEqual(bench.machineSettings.get(id), { machine: id, cordoned: true, metadata: {} });
    bench.do({ kind: "undo" });
    assert.equal(bench.machineSettings.size, 0);
  });

  test("of a machine that nobody knows is refused", () => {
    assert.equal(refusal(() => bench.do(cordon(true, "m9"))).code, "KEEL-502");
  });
});
