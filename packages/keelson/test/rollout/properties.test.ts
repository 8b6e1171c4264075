import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "../../src/base/random.ts";
import { amountOf } from "../../src/model/placement/rules.ts";
import { versionsOf } from "../../src/model/version-of.ts";
import { World } from "./world.ts";

const unit = "web@.service";
const text = (version: string, options: string): string =>
  `[Service]\nExecStart=/bin/${version}\n[X-Keelson]\n${options}`;

const shape = fc.record({
  seed: fc.nat(),
  machines: fc.integer({ min: 1, max: 4 }),
  replicas: fc.integer({ min: 1, max: 7 }),
  unavailable: fc.constantFrom("1", "2", "3", "50%"),
  healthyFor: fc.constantFrom("0", "1s", "2s"),
});
type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

const optionsOf = ({ replicas, unavailable, healthyFor }: Shape): string =>
  `Replicas=${replicas}\nMaxUnavailable=${unavailable}\nUpdateHealthyFor=${healthyFor}\n`;

const mostDown = ({ replicas, unavailable }: Shape): number =>
  amountOf(
    unavailable.endsWith("%") ? { percent: Number.parseInt(unavailable) } : { count: Number(unavailable) },
    replicas,
  );

/** All instances run the first version well. */
function settled(it: Shape): World {
  const random = seededRandom(it.seed);
  const world = new World(it.machines, () => random.next());
  world.submit(unit, text("one", optionsOf(it)));
  for (let steps = 0; world.healthy().size < it.replicas; steps++) {
    assert.ok(steps < 200);
    world.step();
  }
  return world;
}

const stateOf = (world: World): string => world.rollouts.get(unit)?.state ?? "none";

function runUntil(world: World, states: readonly string[], each?: () => void): void {
  for (let steps = 0; !states.includes(stateOf(world)); steps++) {
    assert.ok(steps < 3000, `it ends; it is ${stateOf(world)}`);
    each?.();
    world.step();
  }
}

/** Every instance runs, by this file. */
function assertAll(world: World, { replicas }: Shape, hash: string): void {
  for (let steps = 0; steps < 100; steps++) world.step();
  const hashes = [...world.healthy().values()];
  assert.equal(hashes.length, replicas);
  assert.deepEqual(new Set(hashes), new Set([hash]));
  assert.equal(world.unit(unit).hash, hash);
}

describe("rollouts, whatever machines do", () => {
  test("a good version comes to all, and no batch takes more down than it may", () => {
    fc.assert(
      fc.property(shape, fc.nat(5), (it, crashes) => {
        const world = settled(it);
        const two = world.file(text("two", optionsOf(it)));
        world.submit(unit, text("two", optionsOf(it)), true);
        let left = crashes;
        runUntil(world, ["done", "reverted"], () => {
          if (left-- > 0) world.crashOne();
        });
        for (const { keys, down } of world.batches) {
          const downThen = new Set([...down, ...keys]).size;
          assert.ok(downThen <= Math.max(mostDown(it), down.length), `${downThen} down by ${keys.join(" ")}`);
        }
        assert.equal(stateOf(world), "done");
        assertAll(world, it, two);
      }),
      { numRuns: 60 },
    );
  });

  test("a version that fails reaches one batch, and all have the one before again", () => {
    fc.assert(
      fc.property(shape, (it) => {
        const world = settled(it);
        const one = world.unit(unit).hash;
        world.file(text("bad", optionsOf(it)), true);
        world.submit(unit, text("bad", optionsOf(it)), true);
        runUntil(world, ["reverted", "done", "paused"]);
        assert.equal(stateOf(world), "reverted");
        assert.equal(world.batches.length, 1, "no batch after the one that failed");
        assert.match(
          world.rollouts.get(unit)?.reason ?? "",
          /^web@\d+\.service failed on m\d: exit status 1$/,
        );
        assert.match(world.versions.get(unit)?.versions.at(-1)?.failed ?? "", /failed on/);
        assertAll(world, it, one);
      }),
      { numRuns: 60 },
    );
  });

  test("one version over another before that has come to its end, again and again: the last one wins", () => {
    fc.assert(
      fc.property(shape, fc.array(fc.tuple(fc.nat(3), fc.nat(30)), { maxLength: 5 }), (it, interruptions) => {
        const world = settled(it);
        for (const [version, steps] of interruptions) {
          world.submit(unit, text(`v${version}`, optionsOf(it)), true);
          for (let step = 0; step < steps; step++) world.step();
        }
        const last = world.file(text("last", optionsOf(it)));
        world.submit(unit, text("last", optionsOf(it)), true);
        runUntil(world, ["done"]);
        assertAll(world, it, last);
      }),
      { numRuns: 40 },
    );
  });

  test("what replaces a rollout under way changes no instance before its turn", () => {
    fc.assert(
      fc.property(shape, fc.nat(40), (it, steps) => {
        const world = settled(it);
        world.submit(unit, text("two", optionsOf(it)), true);
        for (let step = 0; step < steps; step++) world.step();
        const names = [...world.healthy().keys()];
        const read = versionsOf(world.unit(unit), world.snapshot());
        const before = names.map((name) => read(name));
        world.submit(unit, text("three", optionsOf(it)), true);
        const after = versionsOf(world.unit(unit), world.snapshot());
        assert.deepEqual(
          names.map((name) => after(name)),
          before,
        );
      }),
      { numRuns: 60 },
    );
  });

  test("paused or aborted, nothing is written; resumed, it comes to its end", () => {
    fc.assert(
      fc.property(shape, fc.nat(20), fc.constantFrom("pause", "abort"), (it, steps, action) => {
        const world = settled(it);
        const two = world.file(text("two", optionsOf(it)));
        world.submit(unit, text("two", optionsOf(it)), true);
        for (let step = 0; step < steps; step++) world.step();
        fc.pre(stateOf(world) === "running");
        world.ask({ kind: "rollout", unit, action: action as "pause" | "abort" });
        const { updated } = world.rollouts.get(unit) ?? {};
        for (let step = 0; step < 50; step++) {
          world.crashOne();
          assert.deepEqual(world.step().records, []);
        }
        assert.deepEqual(world.rollouts.get(unit)?.updated, updated);
        world.ask({ kind: "rollout", unit, action: "resume" });
        runUntil(world, ["done"]);
        assertAll(world, it, two);
      }),
      { numRuns: 40 },
    );
  });

  test("nothing is left of a unit that is destroyed, once nothing can bring it back", () => {
    fc.assert(
      fc.property(shape, fc.nat(20), (it, steps) => {
        const world = settled(it);
        world.submit(unit, text("two", optionsOf(it)), true);
        for (let step = 0; step < steps; step++) world.step();
        world.ask({ kind: "destroy", units: { names: [unit] } });
        world.step();
        assert.equal(world.rollouts.size, 0);
        assert.equal(world.versions.size, 1, "an undo may yet bring it back");
        world.operations.clear();
        world.step();
        assert.equal(world.versions.size, 0);
      }),
      { numRuns: 20 },
    );
  });
});
