import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import type { Intent } from "../../src/model/operation.ts";
import { progressOf } from "../../src/safeguards/progress.ts";
import { plan } from "../../src/safeguards/plan.ts";
import { World } from "../rollout/world.ts";

const unit = "web@.service";
const text = (version: number | string, options = "Replicas=3\n"): string =>
  `[Service]\nExecStart=/bin/${version}\n[X-Keelson]\n${options}`;

function world(options?: string): World {
  const it = new World(3, () => 1);
  it.submit(unit, text(1, options));
  run(it, 10);
  assert.equal(it.healthy().size, 3);
  return it;
}

function run(it: World, steps: number): void {
  for (let step = 0; step < steps; step++) it.step();
}

const replace = (name: string, body: string): Intent => ({
  kind: "submit",
  files: [{ name, body: Buffer.from(body).toString("base64") }],
  desired: "inactive",
  replace: true,
});

function notes(it: World, intent: Intent): readonly string[] {
  const { sketch } = it;
  return plan(intent, it.snapshot(), {
    bodies: (hash) => sketch.bodies.get(hash),
    placements: sketch.placements,
    context: { who: "test", via: "test", nowMs: sketch.wallMs(), newId: () => "op" },
  }).notes;
}

const numbers = (it: World): (number | undefined)[] =>
  it.versions.get(unit)?.versions.map(({ number }) => number) ?? [];

const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof KeelError && error.code === code;

describe("plans of rollouts", () => {
  test("say the batches, and what happens on failure", () => {
    const it = world();
    const of = (options: string): string | undefined => notes(it, replace(unit, text(2, options)))[0];
    assert.equal(
      of("Replicas=3\n"),
      `${unit}: 3 instances in 3 batches of 1, each healthy for 2 s before the next; all go back to the version before if one fails`,
    );
    assert.match(of("Replicas=3\nMaxUnavailable=50%\n") ?? "", /in 3 batches of 1,/);
    assert.match(
      of("Replicas=4\nMaxUnavailable=50%\nUpdateHealthyFor=0\n") ?? "",
      /4 .* 2 batches of 2, each healthy before/,
    );
    assert.match(of("Replicas=3\nMaxUnavailable=9\n") ?? "", /in one batch/);
    assert.match(of("Replicas=3\nMaxSurge=2\n") ?? "", /2 batches of 2, .*started on another machine first/);
    assert.match(of("Replicas=3\nUpdateOnFailure=pause\n") ?? "", /it pauses if one fails$/);
  });

  test("count machines for global units; a change of Global= is made at once", () => {
    const it = new World(3, () => 1);
    const log = (version: number, more = "[X-Fleet]\nGlobal=true\n"): string =>
      `[Service]\nExecStart=/bin/${version}\n${more}`;
    it.submit("log.service", log(1));
    run(it, 10);
    assert.match(notes(it, replace("log.service", log(2)))[0] ?? "", /3 machines in 3 batches of 1/);
    assert.match(notes(it, replace("log.service", log(2, "")))[0] ?? "", /all instances change at once/);
  });

  test("are not made for what does not run; its versions are kept all the same", () => {
    const it = world();
    it.ask({ kind: "set-desired", units: { names: [unit] }, desired: "loaded" });
    run(it, 5);
    it.ask(replace(unit, text(2)));
    assert.equal(it.rollouts.size, 0);
    assert.deepEqual(numbers(it), [1, 2]);
  });

  test("end a rollout that stands still when the unit is stopped and gets other content", () => {
    const it = world();
    it.ask(replace(unit, text(2)));
    run(it, 2);
    it.ask({ kind: "rollout", unit, action: "abort" });
    it.ask({ kind: "set-desired", units: { names: [unit] }, desired: "loaded" });
    it.ask(replace(unit, text(3)));
    assert.equal(it.rollouts.size, 0);
  });
});

describe("versions", () => {
  test("of a unit that was never replaced have no record", () => assert.equal(world().versions.size, 0));

  test("are numbered from 1; the same content is the same version", () => {
    const it = world();
    for (const version of [2, 3, 1, 2]) {
      it.ask(replace(unit, text(version)));
      run(it, 60);
      assert.equal(it.rollouts.get(unit)?.state, "done");
    }
    assert.deepEqual(numbers(it), [1, 2, 3]);
  });

  test("are kept up to 30, and the present one with them", () => {
    const it = world("Replicas=3\nUpdateHealthyFor=0\n");
    for (let version = 2; version <= 40; version++) {
      it.ask(replace(unit, text(version)));
      if (version === 35) it.ask({ kind: "rollback", unit, to: 5 + 1 });
    }
    const kept = numbers(it);
    assert.equal(kept.length, 30);
    assert.equal(kept.at(-1), 40);
  });

  test("of a unit that is made anew are counted on", () => {
    const it = world();
    it.ask(replace(unit, text(2)));
    it.ask({ kind: "destroy", units: { names: [unit] } });
    it.submit(unit, text(3));
    assert.deepEqual(numbers(it), [1, 2, 3]);
  });
});

describe("rollbacks", () => {
  test("lead to the last version before that nothing was found wrong with", () => {
    const it = world();
    it.file(text("bad"), true);
    it.ask(replace(unit, text("bad")));
    run(it, 60);
    assert.equal(it.rollouts.get(unit)?.state, "reverted");
    it.ask(replace(unit, text(3)));
    run(it, 60);
    const { summary } = it.ask({ kind: "rollback", unit: "web@" });
    assert.equal(summary, `roll ${unit} back to version 1`);
    run(it, 60);
    assert.throws(() => it.ask({ kind: "rollback", unit }), hasCode("KEEL-543"));
    assert.throws(() => it.ask({ kind: "rollback", unit, to: 9 }), hasCode("KEEL-543"));
    assert.throws(() => it.ask({ kind: "rollback", unit: "other" }), hasCode("KEEL-501"));
  });

  test("during a rollout lead to where it began, at once for what has that still", () => {
    const it = world();
    const before = it.unit(unit).hash;
    it.ask(replace(unit, text(2)));
    run(it, 3);
    const [first] = it.rollouts.get(unit)?.updated ?? [];
    it.ask({ kind: "rollback", unit });
    const rollout = it.rollouts.get(unit);
    assert.equal(rollout?.to, before);
    assert.ok(first !== undefined && !rollout.updated.includes(first));
    assert.equal(rollout.updated.length, 2);
    assert.equal(rollout.returnable, false, "it does not return to what was never rolled out");
  });

  test("are undone like any change; a pause is not", () => {
    const it = world();
    it.ask(replace(unit, text(2)));
    run(it, 60);
    const two = it.unit(unit).hash;
    const { id } = it.ask({ kind: "rollback", unit });
    run(it, 60);
    it.ask({ kind: "undo", operation: id });
    run(it, 60);
    assert.equal(it.unit(unit).hash, two);
    assert.deepEqual(new Set(it.healthy().values()), new Set([two]));
    it.ask(replace(unit, text(3)));
    const paused = it.ask({ kind: "rollout", unit, action: "pause" });
    assert.throws(() => it.ask({ kind: "undo", operation: paused.id }), hasCode("KEEL-507"));
    assert.match(it.ask({ kind: "undo" }).summary, /update web@\.service/);
  });
});

describe("what is asked of a rollout", () => {
  test("is refused when there is none, or when it does not follow from its state", () => {
    const it = world();
    assert.throws(() => it.ask({ kind: "rollout", unit, action: "pause" }), hasCode("KEEL-541"));
    it.ask(replace(unit, text(2)));
    run(it, 60);
    for (const action of ["pause", "resume", "abort"] as const)
      assert.throws(() => it.ask({ kind: "rollout", unit, action }), hasCode("KEEL-542"));
  });

  test("changes nothing when it is so already", () => {
    const it = world();
    it.ask(replace(unit, text(2)));
    it.ask({ kind: "rollout", unit, action: "pause" });
    assert.equal(it.ask({ kind: "rollout", unit, action: "pause" }).records, undefined);
  });
});

describe("progress of a rollout", () => {
  const look = (it: World, id: string): ReturnType<typeof progressOf> => {
    const operation = it.operations.get(id);
    assert.ok(operation);
    return progressOf(operation, it.snapshot(), { nowMs: it.sketch.wallMs(), waiting: new Map() });
  };

  test("names how many are updated, and whose turn has yet to come", () => {
    const it = world();
    const { id } = it.ask(replace(unit, text(2)));
    run(it, 1);
    const { done, rollouts, items } = look(it, id);
    assert.equal(done, false);
    assert.deepEqual(
      rollouts.map(({ state, from, to, updated, total, batch, waitsFor }) => [
        state,
        from,
        to,
        updated,
        total,
        batch,
        waitsFor,
      ]),
      [["running", 1, 2, 1, 3, 1, "web@1.service"]],
    );
    assert.deepEqual(
      items.map(({ reason }) => reason),
      ["is activating (start)", "waits for its turn", "waits for its turn"],
    );
    run(it, 60);
    assert.equal(look(it, id).outcome, "succeeded");
  });

  test("counts an instance once while it is in two places", () => {
    const it = world();
    const surging = text(2, "Replicas=3\nMaxSurge=1\n");
    const { id } = it.ask(replace(unit, surging));
    let most = 0;
    for (let pass = 0; pass < 150; pass++) {
      run(it, 1);
      const { items, rollouts } = look(it, id);
      most = Math.max(most, items.length);
      for (const { total } of rollouts) assert.equal(total, 3);
    }
    assert.equal(most, 4);
  });

  test("ends when it has gone back, and every instance says why", () => {
    const it = world();
    it.file(text("bad"), true);
    const { id } = it.ask(replace(unit, text("bad")));
    run(it, 60);
    const { done, outcome, rollouts, items } = look(it, id);
    assert.deepEqual([done, outcome, rollouts[0]?.state], [true, "failed", "reverted"]);
    for (const { reason } of items)
      assert.match(reason, /^went back to version 1: web@1\.service failed on m\d: exit status 1$/);
    const back = [...it.operations.values()].find(({ who }) => who === "keelson");
    assert.ok(back);
    assert.match(back.summary, /^return web@\.service to version 1: web@1\.service failed/);
    assert.equal(look(it, back.id).outcome, "succeeded");
  });

  test("ends when it is paused: what is not updated says so", () => {
    const it = world();
    const { id } = it.ask(replace(unit, text(2)));
    run(it, 4);
    it.ask({ kind: "rollout", unit, action: "pause" });
    const { done, outcome, items } = look(it, id);
    assert.deepEqual([done, outcome], [true, "partly"]);
    assert.deepEqual(
      items.map(({ state, reason }) => `${state} ${reason}`),
      ["ready ", "failed not updated: paused by test", "failed not updated: paused by test"],
    );
  });
});
