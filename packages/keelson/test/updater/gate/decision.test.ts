import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { decide, firstLook } from "../../../src/updater/gate/decision.ts";
import type {
  Baseline,
  GateFacts,
  GateRules,
  UnitFact,
  Verdict,
} from "../../../src/updater/gate/decision.ts";

const unit = (name: string, given: Partial<UnitFact> = {}): UnitFact => ({
  name,
  active: "active",
  seconds: 60,
  standing: true,
  scheduled: false,
  skipped: false,
  ...given,
});

const good: GateFacts = {
  seconds: 30,
  booted: true,
  jobs: [],
  keeld: { active: true, answers: true, store: true },
  units: [unit("ssh.socket"), unit("web@1.service", { scheduled: true, standing: false })],
};

const before: Baseline = {
  version: "1.0.0",
  at: 1,
  keeld: true,
  store: true,
  failed: [],
  active: ["ssh.socket"],
  scheduled: ["web@1.service"],
};

const trial: GateRules = { onTrial: true, deadline: 300, baseline: before };

/** What comes of it when the machine looks so at every look, 2 s apart. */
function outcome(facts: GateFacts, rules: GateRules): { verdict: Verdict; seconds: number } {
  let memory = firstLook;
  for (let { seconds } = facts; ; seconds += 2) {
    const step = decide(memory, { ...facts, seconds }, rules);
    ({ memory } = step);
    if (step.verdict.kind !== "waiting") return { verdict: step.verdict, seconds };
    assert.ok(seconds < rules.deadline, "it waits past the deadline");
  }
}

const names = ["a.service", "b.service", "c.socket", "web@1.service"];
const someUnit = fc.record({
  name: fc.constantFrom(...names),
  active: fc.constantFrom("active", "failed", "activating", "inactive", "deactivating", "odd"),
  seconds: fc.double({ min: 0, max: 1000, noNaN: true }),
  standing: fc.boolean(),
  scheduled: fc.boolean(),
  skipped: fc.boolean(),
});
const someBaseline = fc.option(
  fc.record({
    version: fc.constant("1.0.0"),
    at: fc.nat(),
    keeld: fc.boolean(),
    store: fc.boolean(),
    failed: fc.subarray(names),
    active: fc.subarray(names),
    scheduled: fc.subarray(names),
  }),
  { nil: undefined },
);
const someFacts: fc.Arbitrary<GateFacts> = fc.record(
  {
    seconds: fc.double({ min: 0, max: 400, noNaN: true }),
    booted: fc.boolean(),
    jobs: fc.array(fc.string({ maxLength: 10 }), { maxLength: 7 }),
    units: fc.array(someUnit, { maxLength: 6 }),
    rescue: fc.string({ maxLength: 5 }),
    keeld: fc.record({ active: fc.boolean(), answers: fc.boolean(), store: fc.boolean() }),
  },
  { requiredKeys: ["seconds", "booted", "jobs", "units"] },
);
const deadline = fc.integer({ min: 30, max: 3600 });

describe("the boot gate", () => {
  test("safety: a boot that is not on trial never restarts", () => {
    fc.assert(
      fc.property(someFacts, someBaseline, deadline, (facts, baseline, limit) => {
        const { verdict } = decide(firstLook, facts, { onTrial: false, deadline: limit, baseline });
        assert.ok(verdict.kind !== "failed" || !verdict.restart);
      }),
    );
  });

  test("liveness: it is decided by the deadline, whatever the machine looks like", () => {
    const looks = fc.array(someFacts, { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(looks, someBaseline, deadline, (all, baseline, limit) => {
        const rules = { onTrial: true, deadline: limit, baseline };
        let memory = firstLook;
        for (const facts of all) ({ memory } = decide(memory, { ...facts, seconds: 0 }, rules));
        for (const facts of all) {
          const { verdict } = decide(memory, { ...facts, seconds: limit }, rules);
          assert.notEqual(verdict.kind, "waiting");
        }
      }),
    );
  });

  test("liveness: a clock that cannot be read counts as the deadline's end", () => {
    const { verdict } = decide(firstLook, { ...good, booted: false, seconds: Number.NaN }, trial);
    assert.equal(verdict.kind, "failed");
  });

  test("safety: a unit that had failed before does not count", () => {
    fc.assert(
      fc.property(someFacts, someBaseline, (facts, baseline) => {
        if (baseline === undefined) return;
        const rules = { onTrial: true, deadline: 300, baseline };
        const units = facts.units.filter(({ name }) => !baseline.failed.includes(name));
        assert.deepEqual(decide(firstLook, facts, rules), decide(firstLook, { ...facts, units }, rules));
      }),
    );
  });

  test("safety: what is blessed was up, answered, and had reached the store if it had before", () => {
    fc.assert(
      fc.property(someFacts, someBaseline, (facts, baseline) => {
        const { verdict } = outcome(facts, { onTrial: true, deadline: 500, baseline });
        if (verdict.kind !== "healthy") return;
        assert.ok(facts.booted && facts.rescue === undefined);
        if (facts.keeld === undefined || baseline?.keeld === false) return;
        assert.ok(facts.keeld.active && facts.keeld.answers);
        assert.ok(facts.keeld.store !== false || baseline?.store === false);
      }),
    );
  });

  test("liveness: a machine that is as it was is blessed, after a moment in which it stays so", () => {
    assert.deepEqual(outcome(good, trial), { verdict: { kind: "healthy" }, seconds: 34 });
  });

  test("a moment of calm between two failures is not enough", () => {
    let memory = firstLook;
    const bad = { ...good, keeld: { active: false, answers: false } };
    for (let i = 0; i < 20; i++) {
      const step = decide(memory, i % 3 === 2 ? bad : good, trial);
      ({ memory } = step);
      assert.equal(step.verdict.kind, "waiting");
    }
  });

  const verdictOf = (facts: Partial<GateFacts>, baseline: Baseline | undefined = before): Verdict =>
    outcome({ ...good, ...facts }, { ...trial, baseline }).verdict;

  const reasonsOf = (facts: Partial<GateFacts>): string => {
    const verdict = verdictOf(facts);
    assert.equal(verdict.kind, "failed");
    return verdict.kind === "failed" ? verdict.reasons.join("\n") : "";
  };

  test("keeld that does not come up, or does not answer, fails the boot at the deadline", () => {
    const down = { keeld: { active: false, answers: false } };
    assert.match(reasonsOf(down), /within 300 s\nkeeld is not up/);
    assert.match(reasonsOf({ keeld: { active: true, answers: false } }), /does not answer/);
    assert.equal(verdictOf(down, { ...before, keeld: false }).kind, "healthy");
  });

  test("a machine without a configuration needs no keeld", () => {
    const { keeld: _keeld, ...plain } = good;
    assert.equal(outcome(plain, trial).verdict.kind, "healthy");
  });

  test("a store that is not reached counts only when it was reached before", () => {
    const cut = { keeld: { active: true, answers: true, store: false } };
    assert.match(reasonsOf(cut), /the store was not reached/);
    assert.equal(verdictOf(cut, { ...before, store: false }).kind, "healthy");
  });

  test("a unit that stays failed ends the boot before the deadline; one that has just failed may recover", () => {
    const lasting = outcome({ ...good, units: [unit("a.service", { active: "failed" })] }, trial);
    assert.equal(lasting.seconds, 30);
    assert.equal(lasting.verdict.kind, "failed");
    const units = [unit("a.service", { active: "failed", seconds: 3 })];
    assert.equal(decide(firstLook, { ...good, units }, trial).verdict.kind, "waiting");
  });

  test("units of the cluster: what was healthy must be, what is new or was not may be as it is", () => {
    const web = (active: string) => [unit("web@1.service", { active, scheduled: true, standing: false })];
    assert.match(reasonsOf({ units: web("failed") }), /web@1\.service, a unit of the cluster/);
    assert.match(reasonsOf({ units: web("activating") }), /is activating/);
    assert.equal(verdictOf({ units: web("failed") }, { ...before, scheduled: [] }).kind, "healthy");
    assert.equal(verdictOf({ units: [] }).kind, "healthy", "it was drained away");
  });

  test("a standing unit that was active and is not fails the boot, unless its conditions rule it out", () => {
    const socket = { active: "inactive" };
    assert.match(reasonsOf({ units: [unit("ssh.socket", socket)] }), /ssh\.socket was active before/);
    const skipped = [unit("ssh.socket", { ...socket, skipped: true })];
    assert.equal(verdictOf({ units: skipped }).kind, "healthy");
  });

  test("what nobody wants at boot may have failed: it is no part of the system", () => {
    const units = [unit("ssh@7.service", { active: "failed", standing: false })];
    assert.equal(verdictOf({ units }).kind, "healthy");
  });

  test("a version that cannot use the state falls back at once", () => {
    assert.match(reasonsOf({ rescue: "no file system" }), /no state: no file system/);
  });

  test("a boot that is not over says what it waits for", () => {
    assert.match(reasonsOf({ booted: false, jobs: ["slow.service"] }), /still at work: slow\.service/);
  });
});
