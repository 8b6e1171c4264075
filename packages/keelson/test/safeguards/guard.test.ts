import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Confirmation, Intent } from "../../src/model/operation.ts";
import { guard } from "../../src/safeguards/guard.ts";
import { Bench, service, start, stop, submission } from "./bench.ts";

function benchOf(count: number): Bench {
  const bench = new Bench();
  const files = Array.from({ length: count }, (_, n) => [`u${n}.service`, service()]);
  if (count > 0) bench.submit(Object.fromEntries(files));
  return bench;
}

const names = (count: number): string[] => Array.from({ length: count }, (_, n) => `u${n}`);

function verdict(bench: Bench, intent: Intent, confirm: Confirmation = {}): string | undefined {
  const refused = guard(bench.plan(intent), confirm, "demo");
  return refused && `${refused.code} ${String(refused.details?.["needs"])}`;
}

const destroy = (...units: string[]): Intent => ({ kind: "destroy", units: { names: units } });
const destroyAll: Intent = { kind: "destroy", units: { all: true } };

describe("guards", () => {
  test("up to a quarter is free, more needs the figure", () => {
    assert.equal(verdict(benchOf(8), stop(...names(2))), undefined);
    assert.equal(verdict(benchOf(8), stop(...names(3))), "KEEL-201 --max-impact 38");
    assert.equal(verdict(benchOf(8), stop(...names(3)), { maxImpact: 37 }), "KEEL-201 --max-impact 38");
    assert.equal(verdict(benchOf(8), stop(...names(3)), { maxImpact: 38 }), undefined);
    assert.equal(verdict(benchOf(8), destroy(...names(3))), "KEEL-201 --max-impact 38");
  });

  test("one single unit may always go, and so may any of the first three", () => {
    assert.equal(verdict(benchOf(1), destroy("u0")), undefined);
    assert.equal(verdict(benchOf(3), destroy(...names(3))), undefined);
    assert.equal(verdict(benchOf(4), destroy("u0")), undefined);
    assert.equal(verdict(benchOf(4), destroy("u0", "u1")), "KEEL-201 --max-impact 50");
  });

  test("all needs the cluster’s name, and no figure is enough", () => {
    assert.equal(verdict(benchOf(1), destroyAll), "KEEL-202 --confirm demo");
    assert.equal(verdict(benchOf(8), destroyAll, { maxImpact: 100 }), "KEEL-202 --confirm demo");
    assert.equal(verdict(benchOf(8), destroyAll, { scope: "other" }), "KEEL-202 --confirm demo");
    assert.equal(verdict(benchOf(8), destroyAll, { scope: "demo" }), undefined);
    assert.equal(verdict(benchOf(8), destroy(...names(8)), { maxImpact: 100 }), "KEEL-202 --confirm demo");
    assert.equal(verdict(benchOf(8), destroy(...names(8)), { scope: "demo" }), undefined);
  });

  test("starting, restarting and submitting take nothing away", () => {
    const bench = benchOf(8);
    assert.equal(verdict(bench, { kind: "restart", units: { all: true } }), undefined);
    assert.equal(verdict(bench, start(...names(8))), undefined);
    assert.equal(verdict(bench, submission({ "new.service": service() })), undefined);
  });

  test("stopping what does not run takes nothing away; destroying it does", () => {
    const bench = new Bench();
    bench.submit(Object.fromEntries(names(8).map((name) => [`${name}.service`, service()])), {
      desired: "inactive",
    });
    assert.equal(
      verdict(bench, { kind: "set-desired", units: { all: true }, desired: "inactive" }),
      undefined,
    );
    assert.equal(verdict(bench, destroyAll), "KEEL-202 --confirm demo");
  });

  test("an undo is judged like any other change", () => {
    const bench = benchOf(8);
    assert.equal(verdict(bench, { kind: "undo" }), "KEEL-202 --confirm demo");
  });

  test("what cannot be undone needs the cluster’s name", () => {
    assert.equal(verdict(benchOf(1), { kind: "purge" }), "KEEL-204 --confirm demo");
    assert.equal(verdict(benchOf(1), { kind: "purge" }, { scope: "demo" }), undefined);
  });

  test("a refusal says what it saw and carries the plan", () => {
    const refused = guard(benchOf(8).plan(destroy(...names(4))), {}, "demo");
    assert.match(refused?.message ?? "", /stops or removes 4 of 8 units, 50 %/);
    const plan = refused?.details?.["plan"] as { changes: unknown[]; impact: unknown };
    assert.equal(plan.changes.length, 4);
    assert.deepEqual(plan.impact, {
      affected: 4,
      total: 8,
      percent: 50,
      instances: 0,
      reversible: "for 72 hours",
    });
    assert.equal(refused?.exitCode, 4);
  });

  test("a template is one unit, however many replicas it has; its running instances are counted", () => {
    const bench = benchOf(3);
    bench.submit({ "web@.service": service() }, { replicas: 3 });
    const entry = (unit: string): never => ({ unit, companion: false, desired: "launched" }) as never;
    bench.schedule.set("m1", new Map([1, 2, 3].map((n) => [`web@${n}.service`, entry(`web@${n}.service`)])));
    const { impact } = bench.plan(destroy("web@")).operation;
    assert.deepEqual([impact.affected, impact.total, impact.instances], [1, 4, 3]);
    const scaled = bench.plan({ kind: "scale", unit: "web@", replicas: 1 }).operation.impact;
    assert.deepEqual([scaled.affected, scaled.instances, scaled.reversible], [0, 2, "exactly"]);
  });
});
