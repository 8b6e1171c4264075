import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { chooseSpread } from "../../src/membership/choose.ts";
import { majority, repair } from "../../src/membership/repair.ts";
import type { RepairFacts, RepairMachine, RepairMember } from "../../src/membership/repair.ts";

const graceMs = 300_000;

/** etcd and the machines, as far as the decider can tell: what it orders is carried out as etcd would. */
class World {
  members: RepairMember[];
  machines: RepairMachine[];
  asked: Set<string>;
  readonly size: number;
  #next = 100;

  constructor(size: number, machines: readonly RepairMachine[], asked: readonly string[]) {
    this.size = size;
    this.machines = [...machines];
    this.asked = new Set(asked);
    this.members = machines.slice(0, size).map(({ id, name, goneMs }, index) => ({
      id: String(index),
      machine: id,
      name,
      isLearner: false,
      isHealthy: goneMs === undefined,
      isInSync: goneMs === undefined,
    }));
  }

  get facts(): RepairFacts {
    const { size, members, machines, asked } = this;
    return { size, members, machines, asked, graceMs };
  }

  get voters(): RepairMember[] {
    return this.members.filter(({ isLearner }) => !isLearner);
  }

  get healthy(): number {
    return this.voters.filter(({ isHealthy }) => isHealthy).length;
  }

  /** Carries one step out; false when there is none. */
  step(): boolean {
    const step = repair(this.facts);
    assert.notEqual(step.words, "");
    switch (step.kind) {
      case "none":
      case "wait":
        return this.#settle();
      case "add": {
        const isComplete = this.members.every(({ isHealthy }) => isHealthy);
        assert.ok(isComplete, "etcd takes no new member while one is missing");
        assert.ok(!this.members.some(({ machine }) => machine === step.machine));
        const id = String(this.#next++);
        const fresh = { isLearner: true, isHealthy: false, isInSync: false };
        this.members.push({ id, machine: step.machine, name: step.machine, ...fresh });
        return true;
      }
      case "promote":
        this.#change(step.member, { isLearner: false });
        return true;
      case "remove": {
        const member = this.members.find(({ id }) => id === step.member);
        this.members = this.members.filter(({ id }) => id !== step.member);
        if (member?.machine !== undefined) this.asked.delete(member.machine);
        return true;
      }
    }
  }

  /** A learner on a machine that is there starts, then catches up. */
  #settle(): boolean {
    const learner = this.members.find(({ isLearner }) => isLearner);
    const isThere = this.machines.some(({ id, goneMs }) => id === learner?.machine && goneMs === undefined);
    if (learner === undefined || !isThere || learner.isInSync) return false;
    this.#change(learner.id, learner.isHealthy ? { isInSync: true } : { isHealthy: true });
    return true;
  }

  #change(id: string, change: Partial<RepairMember>): void {
    this.members = this.members.map((member) => (member.id === id ? { ...member, ...change } : member));
  }
}

const machine = (index: number, goneMs: number | undefined): RepairMachine => ({
  id: `id${index}`,
  name: `m${index}`,
  zone: "abc"[index % 3] ?? "",
  goneMs,
});

const gone = fc.constantFrom(undefined, undefined, undefined, 1000, graceMs, 10 * graceMs);
const worlds = fc
  .record({
    size: fc.constantFrom(1, 3, 5),
    gone: fc.array(gone, { minLength: 5, maxLength: 9 }),
    asked: fc.subarray(["id0", "id1", "id2"]),
  })
  .map(
    (made) =>
      new World(
        made.size,
        made.gone.map((ms, index) => machine(index, ms)),
        made.asked,
      ),
  );

describe("repair of the store's membership", () => {
  test("safety: no step leaves fewer healthy voters than a majority", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        for (let steps = 0; steps < 60; steps++) {
          const before = world.healthy >= majority(world.voters.length);
          if (!world.step()) return;
          if (before) assert.ok(world.healthy >= majority(world.voters.length));
          assert.ok(world.members.filter(({ isLearner }) => isLearner).length <= 1);
          assert.ok(world.voters.length <= world.size + 1);
        }
        assert.fail("it never comes to rest");
      }),
    );
  });

  test("liveness: with machines enough, all members are there and healthy in the end", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        if (world.healthy < majority(world.voters.length)) return;
        // Whoever is gone stays gone for good, and there are spares.
        world.machines = world.machines.map((it) => (it.goneMs === undefined ? it : { ...it, goneMs: 1e9 }));
        world.machines.push(...[20, 21, 22, 23, 24, 25, 26, 27].map((index) => machine(index, undefined)));
        while (world.step());
        assert.equal(world.voters.length, world.size);
        assert.equal(world.healthy, world.size);
        assert.equal(repair(world.facts).kind, "none");
        assert.ok(world.members.every(({ machine: id }) => !world.asked.has(id ?? "")));
      }),
    );
  });

  test("a member that works leaves only after its successor has a vote", () => {
    const world = new World(
      3,
      [0, 1, 2, 3].map((index) => machine(index, undefined)),
      ["id1"],
    );
    const seen: string[] = [];
    for (let step = repair(world.facts); ; step = repair(world.facts)) {
      if (step.kind !== "wait") seen.push(step.kind);
      if (!world.step()) break;
    }
    assert.deepEqual(seen, ["add", "promote", "remove", "none"]);
  });

  test("a machine that is gone for less than the grace keeps its member, and one without a spare too", () => {
    const away = (ms: number, spares: number) =>
      repair(
        new World(
          3,
          [machine(0, ms), ...[1, 2, 3].slice(0, 2 + spares).map((i) => machine(i, undefined))],
          [],
        ).facts,
      );
    assert.deepEqual(away(1000, 1), {
      kind: "wait",
      words: "m0 does not answer and its machine is gone; it is replaced when that has lasted 5 min",
    });
    assert.equal(away(graceMs, 1).kind, "remove");
    assert.match(away(graceMs, 0).words, /no machine is free for another member/);
  });

  test("without a majority nothing is changed", () => {
    const lost = new World(
      3,
      [machine(0, 1e9), machine(1, 1e9), machine(2, undefined), machine(3, undefined)],
      [],
    );
    assert.deepEqual(repair(lost.facts), {
      kind: "wait",
      words: "1 of 3 members answer, and 2 are needed: start their machines",
    });
  });
});

describe("choice of members", () => {
  test("they are spread over zones", () => {
    const all = [1, 2, 3, 4, 5, 6].map((index) => ({
      ...machine(index, undefined),
      zone: index < 5 ? "a" : "b",
    }));
    assert.deepEqual(
      chooseSpread(all, 3).map(({ name }) => name),
      ["m1", "m2", "m5"],
    );
    assert.equal(chooseSpread(all.slice(0, 2), 3).length, 2);
  });
});
