// What one pass leaves to the next: newcomers beyond a number, and nobody else.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { idOf, Sketch, threeMachines } from "./sketch.ts";

const replicas = (cluster: Sketch, name: string, lines = "", count = 6): Sketch =>
  cluster.unit(`${name}@.service`, lines, { replicas: count });

const placedOf = (cluster: Sketch, template: string): number =>
  [...cluster.schedule.values()].reduce(
    (sum, entries) => sum + [...entries.keys()].filter((unit) => unit.startsWith(`${template}@`)).length,
    0,
  );

describe("a pass that places so many newcomers at most", () => {
  test("leaves the others to the next one, and says so", () => {
    const cluster = replicas(threeMachines(), "web");
    cluster.mostPlaced = 4;
    const first = cluster.run();
    assert.equal(first.isCut, true);
    assert.equal(placedOf(cluster, "web"), 4);
    assert.deepEqual(first.unplaced.get("web@6.service"), { reason: "waits for its turn", final: false });
    const second = cluster.run();
    assert.equal(second.isCut, false);
    assert.equal(second.unplaced.size, 0);
    assert.equal(placedOf(cluster, "web"), 6);
  });

  test("is not cut by those that no machine takes, and they keep nobody waiting", () => {
    const cluster = replicas(threeMachines(), "never", "MachineMetadata=zone=moon", 10);
    cluster.unit("urgent@.service", "[X-Keelson]\nPriority=5\nMachineMetadata=zone=moon", { replicas: 10 });
    replicas(cluster, "web", "", 4);
    cluster.mostPlaced = 4;
    assert.equal(cluster.run().isCut, false);
    assert.equal(placedOf(cluster, "web"), 4);
  });

  test("serves the most important first", () => {
    const cluster = replicas(threeMachines(), "web");
    cluster.unit("urgent@.service", "[X-Keelson]\nPriority=5", { replicas: 3 });
    cluster.mostPlaced = 4;
    cluster.run();
    assert.deepEqual([placedOf(cluster, "urgent"), placedOf(cluster, "web")], [3, 1]);
  });

  test("moves all units of a lost machine all the same, but for those that are less important", () => {
    const cluster = replicas(threeMachines(), "old", "MachineMetadata=disk=ssd", 0);
    for (let n = 1; n <= 9; n++) cluster.unit(`old${n}.service`);
    for (let n = 1; n <= 3; n++) cluster.unit(`lesser${n}.service`, "[X-Keelson]\nPriority=-1");
    cluster.run();
    cluster.obey();
    const [lost] = cluster.where("old1.service");
    const left = [...(cluster.schedule.get(idOf(lost ?? ""))?.keys() ?? [])];
    assert.ok(left.some((name) => name.startsWith("lesser")) && left.length > 2);
    cluster.lose(lost ?? "").nowMs += 100_000;
    for (let n = 1; n <= 50; n++) cluster.unit(`new${n}.service`);
    cluster.mostPlaced = 2;
    const plan = cluster.run();
    for (const name of left) {
      const waits = plan.unplaced.get(name)?.reason;
      assert.equal(waits, name.startsWith("lesser") ? "waits for its turn" : undefined, name);
    }
  });

  test("serves machines one after the other with what runs on all of them", () => {
    const cluster = threeMachines().unit("agent.service", "Global=yes");
    cluster.mostPlaced = 2;
    assert.equal(cluster.run().isCut, true);
    assert.equal(cluster.where("agent.service").length, 2);
    assert.equal(cluster.run().isCut, false);
    assert.equal(cluster.where("agent.service").length, 3);
    assert.deepEqual(cluster.run().groups, []);
  });

  test("moves nothing that runs before newcomers have a machine", () => {
    const cluster = replicas(threeMachines(), "web", "", 3);
    cluster.run();
    cluster.obey();
    const [where = ""] = cluster.where("web@1.service");
    cluster.drain(where);
    replicas(cluster, "new");
    cluster.mostPlaced = 4;
    const plan = cluster.run();
    assert.equal(plan.stays.get("web@1.service"), "others, which have no machine, go first");
    assert.deepEqual(cluster.where("web@1.service"), [where]);
    cluster.run();
    cluster.obey();
    cluster.run();
    assert.notDeepEqual(cluster.where("web@1.service"), [where]);
  });
});

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

const wish = fc.record({
  lines: fc.constantFrom("", "MachineMetadata=zone=a", "Conflicts=u*.service", "MachineOf=u0.service"),
  priority: fc.integer({ min: 0, max: 2 }),
  memory: fc.constantFrom(0, 100, 300, 700),
});

test("newcomers go to the same machines, however many passes that takes", () => {
  const placed = (
    wishes: readonly (typeof wish extends fc.Arbitrary<infer T> ? T : never)[],
    most: number,
  ) => {
    const cluster = new Sketch();
    for (let n = 1; n <= 5; n++) cluster.machine(`m${n}`, { zone: n % 2 === 0 ? "a" : "b" });
    for (const [n, { lines, priority, memory }] of wishes.entries()) {
      const own = n === 0 && lines.startsWith("MachineOf") ? "" : lines;
      const asks = memory === 0 ? "" : `\nMemoryRequest=${memory}M`;
      cluster.unit(`u${n}.service`, `[X-Fleet]\n${own}\n[X-Keelson]\nPriority=${priority}${asks}`);
    }
    cluster.mostPlaced = most;
    let last = cluster.run();
    for (let passes = 0; last.isCut; passes++) {
      assert.ok(passes < wishes.length, "each pass serves somebody");
      last = cluster.run();
    }
    return {
      where: wishes.map((_, n) => cluster.where(`u${n}.service`)),
      unplaced: [...last.unplaced].map(([name, { final }]) => ({ name, final })).sort(byName),
    };
  };
  fc.assert(
    fc.property(fc.array(wish, { maxLength: 12 }), fc.integer({ min: 1, max: 5 }), (wishes, most) => {
      assert.deepEqual(placed(wishes, most), placed(wishes, Infinity));
    }),
    { numRuns: 300 },
  );
});
