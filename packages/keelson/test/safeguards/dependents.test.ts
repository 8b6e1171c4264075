import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Intent } from "../../src/model/operation.ts";
import { base64, Bench, service } from "./bench.ts";

const submit = (name: string, body: string): Intent => ({
  kind: "submit",
  files: [{ name, body: base64(body) }],
  desired: "launched",
  replace: true,
});
const requiring = (unit: string): string => service(`[X-Keelson]\nRequiresUnit=${unit}\n`);

function chain(): Bench {
  const bench = new Bench();
  bench.do(submit("disk.service", service()));
  bench.do(submit("db.service", requiring("disk.service")));
  bench.do(submit("web.service", requiring("db.service")));
  bench.do(submit("after.service", service("[X-Keelson]\nAfterUnit=disk.service\n")));
  return bench;
}

describe("a plan names what stops along", () => {
  const takings: readonly Intent[] = [
    { kind: "set-desired", units: { names: ["disk.service"] }, desired: "loaded" },
    { kind: "set-desired", units: { names: ["disk.service"] }, desired: "inactive" },
    { kind: "destroy", units: { names: ["disk.service"] } },
  ];
  for (const intent of takings) {
    test(`${intent.kind} ${"desired" in intent ? intent.desired : ""}`, () => {
      const planned = chain().plan(intent);
      assert.deepEqual(planned.notes, [
        "also stops db.service: disk.service, which it requires, is not wanted any more",
        "also stops web.service: db.service, which it requires, stops",
      ]);
      const { affected, percent } = planned.operation.impact;
      assert.deepEqual([affected, percent], [3, 75], "guards count them");
      assert.deepEqual(
        planned.operation.changes.map(({ unit }) => unit),
        ["disk.service"],
      );
    });
  }

  test("what is named itself is counted once, what is stopped already not at all", () => {
    const bench = chain();
    const all = bench.plan({
      kind: "set-desired",
      units: { names: ["disk.service", "db.service", "web.service"] },
      desired: "loaded",
    });
    assert.equal(all.operation.impact.affected, 3);
    assert.deepEqual(all.notes, []);
    bench.do({ kind: "set-desired", units: { names: ["disk.service"] }, desired: "loaded" });
    const again = bench.plan({ kind: "destroy", units: { names: ["disk.service"] } });
    assert.deepEqual(again.notes, []);
  });

  test("a template that is scaled to nothing takes along what requires it", () => {
    const bench = new Bench();
    bench.do({ ...submit("cache@.service", service()), replicas: 2 } as Intent);
    bench.do(submit("web.service", requiring("cache@.service")));
    const planned = bench.plan({ kind: "scale", unit: "cache@.service", replicas: 0 });
    assert.deepEqual(planned.notes, [
      "also stops web.service: cache@.service, which it requires, is not wanted any more",
    ]);
    assert.deepEqual(bench.plan({ kind: "scale", unit: "cache@.service", replicas: 1 }).notes, []);
  });

  test("a file that names an unknown unit is told at once", () => {
    const planned = new Bench().plan(submit("web.service", requiring("nobody.service")));
    assert.deepEqual(planned.notes, [
      "web.service waits for nobody.service, which the cluster does not have",
    ]);
  });
});
