import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Sketch } from "./sketch.ts";

const machines = (count: number): Sketch => {
  const cluster = new Sketch();
  for (let n = 1; n <= count; n++) cluster.machine(`m${n}`);
  return cluster;
};

/** `M` of memory on machines that have 1024. */
const asks = (megabytes: number, ...lines: string[]): string =>
  `[Service]\nExecStart=/bin/true\n[X-Keelson]\nMemoryRequest=${megabytes}M\n${lines.join("\n")}\n`;
const urgent = (megabytes: number, priority: number): string =>
  asks(megabytes, `Priority=${priority}`, "Preempt=yes");

const running = (cluster: Sketch): Record<string, string[]> =>
  Object.fromEntries([...cluster.units.keys()].map((name) => [name, cluster.where(name)]));

test("when room is short the more important unit is placed, whatever its name", () => {
  const cluster = machines(1).unit("a.service", asks(600)).unit("b.service", asks(600, "Priority=10"));
  cluster.run();
  assert.deepEqual(running(cluster), { "a.service": [], "b.service": ["m1"] });
});

test("nobody that runs is stopped without Preempt=", () => {
  const cluster = machines(1).unit("a.service", asks(600));
  cluster.run();
  cluster.obey().unit("b.service", asks(600, "Priority=10")).run();
  assert.deepEqual(running(cluster), { "a.service": ["m1"], "b.service": [] });
});

describe("preempting", () => {
  test("stops first, then starts; the one that gave way goes elsewhere when it has stopped", () => {
    const cluster = machines(2).unit("a.service", asks(600)).unit("b.service", asks(700, "Priority=5"));
    cluster.run();
    cluster.obey().unit("c.service", urgent(900, 10));
    cluster
      .lose("m2")
      .machine("m3", { full: "yes" }, { allocatable: { cpus: 1, memoryBytes: 650 * 2 ** 20 } });
    const plan = cluster.run();
    assert.deepEqual(plan.unplaced.get("c.service"), {
      reason: "waits for room: m1 has yet to stop b.service",
      final: false,
    });
    assert.equal(
      plan.unplaced.get("b.service")?.reason,
      "waits until m1 has stopped it, where it gave way to c.service, whose priority is 10, not 5",
    );
    assert.deepEqual(running(cluster)["c.service"], []);
    cluster.obey().run();
    assert.deepEqual(running(cluster)["c.service"], ["m1"]);
    cluster.obey().run(30_000);
    assert.deepEqual(running(cluster), { "a.service": ["m3"], "b.service": [], "c.service": ["m1"] });
  });

  test("the least important give way, as few as will do, and none besides", () => {
    const cluster = machines(1);
    for (const [name, megabytes, priority] of [
      ["low", 200, 0],
      ["other", 300, 0],
      ["mid", 400, 5],
    ] as const)
      cluster.unit(`${name}.service`, asks(megabytes, `Priority=${priority}`));
    cluster.run();
    cluster.obey().unit("urgent.service", urgent(350, 10)).run();
    assert.deepEqual(running(cluster), {
      "low.service": ["m1"],
      "other.service": [],
      "mid.service": ["m1"],
      "urgent.service": [],
    });
    cluster.obey().run();
    assert.deepEqual(cluster.where("urgent.service"), ["m1"]);
  });

  test("on the machine where the least important units are enough", () => {
    const cluster = machines(3);
    cluster.unit("a.service", asks(600, "Priority=7")).unit("b.service", asks(600, "Priority=3"));
    cluster.unit("c.service", asks(600, "Priority=5")).run();
    const [home] = cluster.where("b.service");
    cluster.obey().unit("urgent.service", urgent(600, 10)).run();
    assert.deepEqual(cluster.where("b.service"), []);
    cluster.obey().run();
    assert.deepEqual(cluster.where("urgent.service"), [home]);
  });

  test("not the equally important, not for a unit that is only loaded, not in vain", () => {
    const cluster = machines(1).unit("a.service", asks(600, "Priority=10"));
    cluster.unit("small.service", asks(100)).run();
    cluster
      .obey()
      .unit("equal.service", urgent(600, 10))
      .unit("loaded.service", urgent(400, 20), { desired: "loaded" });
    cluster.unit("huge.service", urgent(4000, 30));
    const plan = cluster.run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.deepEqual(cluster.where("small.service"), ["m1"]);
    assert.equal(plan.unplaced.get("huge.service")?.final, true);
  });

  test("who must run beside the one that gives way counts with it", () => {
    const cluster = machines(1).unit("a.service", asks(600));
    cluster.unit("log.service", `${asks(100, "Priority=20")}[X-Fleet]\nMachineOf=a.service\n`).run();
    cluster.obey().unit("urgent.service", urgent(600, 10)).run();
    assert.deepEqual(cluster.where("a.service"), ["m1"], "its follower is more important");
    cluster.unit("log.service", `${asks(100, "Priority=2")}[X-Fleet]\nMachineOf=a.service\n`);
    cluster.obey().run();
    cluster.obey().run();
    assert.deepEqual(running(cluster), { "a.service": [], "log.service": [], "urgent.service": ["m1"] });
  });

  test("waits for what is stopping already rather than to stop more", () => {
    const cluster = machines(2).unit("a.service", asks(800)).unit("b.service", asks(800)).unit("x.service");
    cluster.run();
    cluster.obey().desire("b.service", "inactive").unit("urgent.service", urgent(600, 10)).run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    cluster.obey().run();
    assert.deepEqual(cluster.where("urgent.service"), ["m2"]);
  });

  test("what is stopping already counts, and less has to give way", () => {
    const cluster = machines(1).unit("a.service", asks(300)).unit("b.service", asks(400));
    cluster.unit("c.service", asks(300)).run();
    cluster.obey().desire("a.service", "inactive").unit("urgent.service", urgent(700, 10)).run();
    assert.deepEqual(running(cluster), {
      "a.service": [],
      "b.service": [],
      "c.service": ["m1"],
      "urgent.service": [],
    });
  });

  test("who helps with one thing only gives way when both are short, and nobody for what others make up for", () => {
    const cluster = machines(1).unit("a.service", asks(400, "CPURequest=0.5")).unit("b.service", asks(600));
    cluster.unit("c.service", asks(0, "CPURequest=1")).run();
    cluster
      .obey()
      .unit("urgent.service", urgent(624, 10).replace("Priority", "CPURequest=1.5\nPriority"))
      .run();
    assert.deepEqual(running(cluster), {
      "a.service": ["m1"],
      "b.service": [],
      "c.service": [],
      "urgent.service": [],
    });
  });

  test("nobody takes the room of the one that has yet to stop", () => {
    const cluster = machines(1).unit("a.service", asks(900));
    cluster.run();
    cluster.obey().unit("urgent.service", urgent(500, 10)).unit("x.service", asks(300));
    const plan = cluster.run();
    assert.deepEqual(cluster.where("x.service"), []);
    assert.equal(plan.unplaced.get("x.service")?.reason, "waits for room: m1 has yet to stop a.service");
    cluster.obey().run();
    assert.deepEqual(running(cluster), { "a.service": [], "urgent.service": ["m1"], "x.service": ["m1"] });
  });

  test("not before the one that is to give way was heard of", () => {
    const cluster = machines(1).unit("a.service", asks(800));
    cluster.run();
    const plan = cluster.unit("urgent.service", urgent(600, 10)).run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.equal(
      plan.unplaced.get("urgent.service")?.reason,
      "waits for room: m1 has yet to start a.service, which then gives way to it",
    );
    assert.ok(plan.awaitsReports);
    cluster.obey().run();
    cluster.obey().run();
    assert.deepEqual(cluster.where("urgent.service"), ["m1"]);
  });

  test("a global unit makes room on each machine", () => {
    const cluster = machines(2);
    cluster.unit("a.service", asks(900)).unit("b.service", asks(500)).run();
    cluster
      .obey()
      .unit("agent.service", `${urgent(200, 10)}[X-Fleet]\nGlobal=yes\n`)
      .run();
    assert.deepEqual(cluster.where("agent.service"), ["m2"]);
    assert.deepEqual(cluster.where("a.service"), []);
    cluster.obey("m1").run();
    assert.deepEqual(cluster.where("agent.service"), ["m1", "m2"]);
  });
});

test("a unit takes the place of the one that it replaces when there is no room beside it", () => {
  const cluster = machines(2).unit("old.service", asks(900));
  cluster.run();
  cluster.obey().unit("new.service", `${asks(900)}[X-Fleet]\nMachineMetadata=zone=a\nReplaces=old.service\n`);
  cluster.machine("m1", { zone: "a" }).run();
  assert.deepEqual(running(cluster), { "old.service": [], "new.service": [] });
  cluster.obey().run();
  assert.deepEqual(running(cluster), { "old.service": ["m2"], "new.service": ["m1"] });
});
