import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Intent } from "../../src/model/operation.ts";
import { undoMs } from "../../src/model/operation.ts";
import { Bench, refusal, service, start, stop } from "./bench.ts";

const undo = (operation?: string): Intent =>
  operation === undefined ? { kind: "undo" } : { kind: "undo", operation };

describe("undo", () => {
  test("brings back what was destroyed, byte for byte", () => {
    const bench = new Bench();
    bench.submit({ "a.service": "\uFEFF# odd\r\n[Service]\r\nExecStart=/bin/true \\\r\n x" });
    bench.submit({ "web@.service": service() }, { replicas: 3 });
    const before = bench.seen();
    bench.destroy("a.service", "web@");
    assert.deepEqual(bench.seen(), {});
    bench.do(undo());
    assert.deepEqual(bench.seen(), before);
  });

  test("takes back stops, scalings and replacements", () => {
    const bench = new Bench();
    bench.submit({ "web@.service": service() }, { replicas: 3 });
    const steps: Intent[] = [
      stop("web@"),
      { kind: "scale", unit: "web@", replicas: 7 },
      { kind: "submit", files: [{ name: "web@.service", body: "" }], desired: "inactive", replace: true },
    ];
    for (const step of steps) {
      const before = bench.seen();
      bench.do(step);
      assert.notDeepEqual(bench.seen(), before);
      bench.do(undo());
      assert.deepEqual(bench.seen(), before);
    }
  });

  test("one after the other, back to the beginning; undoing an undo does it again", () => {
    const bench = new Bench();
    bench.submit({ "a.service": service() });
    const stopped = bench.do(stop("a"));
    const undone = bench.do(undo());
    assert.equal(undone.undoOf, stopped.id);
    assert.match(bench.seen()["a.service"] ?? "", /^launched/);
    bench.do(undo(undone.id));
    assert.match(bench.seen()["a.service"] ?? "", /^loaded/);
    bench.do(undo());
    assert.match(bench.seen()["a.service"] ?? "", /^launched/);
    bench.do(undo());
    assert.deepEqual(bench.seen(), {});
    assert.equal(refusal(() => bench.do(undo())).code, "KEEL-506");
  });

  test("what others changed beside it stays", () => {
    const bench = new Bench();
    bench.submit({ "web@.service": service() }, { replicas: 3 });
    const scaled = bench.do({ kind: "scale", unit: "web@", replicas: 5 });
    bench.do(stop("web@"));
    bench.do(undo(scaled.id));
    assert.equal(bench.seen()["web@.service"], `loaded ×3 ${service()}`);
  });

  test("what was changed again since is in the way, and is named", () => {
    const bench = new Bench();
    bench.submit({ "web@.service": service() }, { replicas: 3 });
    const first = bench.do({ kind: "scale", unit: "web@", replicas: 5 });
    const second = bench.do({ kind: "scale", unit: "web@", replicas: 6 });
    const error = refusal(() => bench.do(undo(first.id)));
    assert.equal(error.code, "KEEL-507");
    assert.equal(error.details?.["later"], second.id);
    assert.match(error.hint ?? "", new RegExp(`Undo ${second.id} first`));
    bench.do(undo(second.id));
    bench.do(undo(first.id));
    assert.equal(bench.units.get("web@.service")?.replicas, 3);
  });

  test("a unit that was made and used since is not swept away", () => {
    const bench = new Bench();
    const made = bench.submit({ "a.service": service() }, { desired: "inactive" });
    bench.do(start("a"));
    assert.equal(refusal(() => bench.do(undo(made.id))).code, "KEEL-507");
  });

  test("twice, a restart, too late, nobody’s, ambiguous", () => {
    const bench = new Bench();
    bench.submit({ "a.service": service() });
    const restarted = bench.do({ kind: "restart", units: { names: ["a"] } });
    assert.equal(refusal(() => bench.do(undo(restarted.id))).code, "KEEL-507");
    const destroyed = bench.destroy("a.service");
    const undone = bench.do(undo(destroyed.id));
    const twice = refusal(() => bench.do(undo(destroyed.id)));
    assert.equal(twice.details?.["undoneBy"], undone.id);
    assert.equal(refusal(() => bench.do(undo("zzz"))).code, "KEEL-506");
    assert.equal(refusal(() => bench.do(undo("op"))).code, "KEEL-506");
    bench.nowMs += undoMs;
    assert.equal(refusal(() => bench.do(undo(destroyed.id))).code, "KEEL-506");
  });
});

test("undoing everything in reverse leads back, whatever was done", () => {
  const name = fc.constantFrom("a", "b", "c");
  const step = fc.oneof(
    fc.record({
      do: fc.constant("submit" as const),
      name,
      text: fc.constantFrom("x", "y"),
      launch: fc.boolean(),
    }),
    fc.record({
      do: fc.constant("desire" as const),
      name,
      desired: fc.constantFrom("inactive" as const, "loaded" as const, "launched" as const),
    }),
    fc.record({ do: fc.constant("scale" as const), replicas: fc.nat(4) }),
    fc.record({ do: fc.constant("destroy" as const), name }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const bench = new Bench();
      bench.submit({ "t@.service": service() }, { replicas: 2 });
      const states = [bench.seen()];
      const done: string[] = [];
      for (const step of steps) {
        const unit = "name" in step ? `${step.name}.service` : "";
        let operation;
        try {
          if (step.do === "submit") {
            const desired = step.launch ? "launched" : "inactive";
            operation = bench.submit({ [unit]: service(`# ${step.text}\n`) }, { desired, replace: true });
          } else if (step.do === "desire") {
            operation = bench.do({ kind: "set-desired", units: { names: [unit] }, desired: step.desired });
          } else if (step.do === "scale") {
            operation = bench.do({ kind: "scale", unit: "t@", replicas: step.replicas });
          } else {
            operation = bench.destroy(unit);
          }
        } catch {
          continue;
        }
        if (operation.changes.length === 0) continue;
        done.push(operation.id);
        states.push(bench.seen());
      }
      const undone: string[] = [];
      for (const id of done.reverse()) {
        assert.deepEqual(sorted(bench.seen()), sorted(states.pop() ?? {}));
        undone.push(bench.do(undo(id)).id);
      }
      assert.deepEqual(sorted(bench.seen()), sorted(states.pop() ?? {}));
      const start = bench.seen();
      for (const id of undone.reverse()) bench.do(undo(id));
      for (let n = 0; n < undone.length; n++) bench.do(undo());
      assert.deepEqual(sorted(bench.seen()), sorted(start));
    }),
    { numRuns: 150 },
  );
});

const sorted = (seen: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(seen).sort(([a], [b]) => a.localeCompare(b));
