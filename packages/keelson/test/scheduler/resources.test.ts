import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { memoryInWords, shortage } from "../../src/scheduler/board/room.ts";
import { idOf, Sketch } from "./sketch.ts";

const MiB = 2 ** 20;

/** Each machine has 1 GiB and two processors for units. */
const machines = (count: number): Sketch => {
  const cluster = new Sketch();
  for (let n = 1; n <= count; n++) cluster.machine(`m${n}`);
  return cluster;
};

const asks = (...lines: string[]): string =>
  `[Service]\nExecStart=/bin/true\n[X-Keelson]\n${lines.join("\n")}\n`;

describe("what a unit asks for", () => {
  test("a unit that does not fit is not placed, and says why with figures", () => {
    const cluster = machines(1).unit("a.service", asks("MemoryRequest=612M"));
    cluster.unit("b.service", asks("MemoryRequest=500M", "CPURequest=0.5")).unit("c.service");
    const plan = cluster.run();
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
    assert.deepEqual(cluster.where("c.service"), ["m1"], "a unit without requests fits everywhere");
    assert.deepEqual(plan.unplaced.get("b.service"), {
      reason: "no machine fits: m1 has 412 MiB of 1.0 GiB free, it needs 500 MiB",
      final: true,
    });
    const [reasons] = cluster.why("b.service");
    assert.deepEqual(reasons?.machines[0]?.reasons, ["has 412 MiB of 1.0 GiB free, it needs 500 MiB"]);
  });

  test("processors count as memory does, and both are named", () => {
    const cluster = machines(1).unit("a.service", asks("MemoryRequest=1000M", "CPURequest=1.75"));
    cluster.unit("b.service", asks("MemoryRequest=100M", "CPURequest=0.5"));
    assert.equal(
      cluster.run().unplaced.get("b.service")?.reason,
      "no machine fits: m1 has 24 MiB of 1.0 GiB free, it needs 100 MiB, and has 0.25 of 2 processors free, it needs 0.5",
    );
  });

  test("systemd’s own settings are requests; a share is one of the machine’s whole memory", () => {
    const cluster = new Sketch()
      .machine("m1", {}, { allocatable: { cpus: 1, memoryBytes: 700 * MiB } })
      .unit("a.service", "[Service]\nExecStart=/bin/true\nMemoryMax=50%\n")
      .unit("b.service", "[Service]\nExecStart=/bin/true\nMemoryMax=200M\nCPUQuota=20%\n");
    assert.equal(
      cluster.run().unplaced.get("b.service")?.reason,
      "no machine fits: m1 has 188 MiB of 700 MiB free, it needs 200 MiB",
    );
  });

  test("what is still to stop counts until it has stopped, and the reason goes away by itself", () => {
    const cluster = machines(1).unit("a.service", asks("MemoryRequest=700M"));
    cluster.run();
    cluster.obey().desire("a.service", "inactive").unit("b.service", asks("MemoryRequest=400M"));
    const plan = cluster.run();
    assert.deepEqual(plan.unplaced.get("b.service"), {
      reason: "waits for room: m1 has yet to stop a.service",
      final: false,
    });
    assert.deepEqual(cluster.why("b.service")[0]?.machines[0]?.reasons, [
      "has 324 MiB of 1.0 GiB free, it needs 400 MiB until others there have stopped",
    ]);
    cluster.obey().run();
    assert.deepEqual(cluster.where("b.service"), ["m1"]);
  });

  test("who waits for room gets it before those who come after", () => {
    const cluster = machines(1).unit("a.service", asks("MemoryRequest=700M"));
    cluster.run();
    cluster
      .obey()
      .desire("a.service", "inactive")
      .unit("b.service", asks("MemoryRequest=800M", "Priority=1"));
    cluster.unit("c.service", asks("MemoryRequest=300M"));
    const plan = cluster.run();
    assert.equal(plan.unplaced.get("b.service")?.final, false);
    assert.match(plan.unplaced.get("c.service")?.reason ?? "", /has 0 B of 1\.0 GiB free/);
    cluster.obey().run();
    assert.deepEqual([cluster.where("b.service"), cluster.where("c.service")], [["m1"], []]);
  });

  test("what runs stays when the machine has less than before", () => {
    const cluster = machines(2).unit("a.service", asks("MemoryRequest=700M"));
    cluster.run();
    cluster.obey().machine("m1", {}, { allocatable: { cpus: 2, memoryBytes: 100 * MiB } });
    const { groups, alarms } = cluster.run();
    assert.deepEqual(groups, []);
    assert.deepEqual(
      [...alarms],
      [["overfull", "the units on m1 ask for 700 MiB of its 100 MiB of memory: they stay where they are"]],
    );
    assert.deepEqual(cluster.why("a.service")[0]?.machines[0]?.reasons, [
      "has it: active (running)",
      "its units ask for 700 MiB of its 100 MiB of memory",
    ]);
    assert.deepEqual(cluster.where("a.service"), ["m1"]);
  });

  test("more than there is only when it is asked for", () => {
    const cluster = machines(1).unit("a.service", asks("MemoryRequest=700M"));
    cluster.unit("b.service", asks("MemoryRequest=700M")).run();
    assert.deepEqual(cluster.where("b.service"), []);
    cluster.overcommit = { memory: 1.5, cpu: 1 };
    cluster.run();
    assert.deepEqual(cluster.where("b.service"), ["m1"]);
    assert.equal(cluster.schedule.get(idOf("m1"))?.size, 2);
  });
});

describe("figures in words", () => {
  test("what is free is never said to be more than it is, what is needed never less", () => {
    assert.deepEqual(
      [0, 1023, 412 * MiB, 2 ** 31, 1.99 * 2 ** 30, -5].map((n) => memoryInWords(n)),
      ["0 B", "1023 B", "412 MiB", "2.0 GiB", "1.9 GiB", "0 B"],
    );
    const [need, free] = [1.47, 1.45].map((GiB) => ({
      memoryBytes: Math.round(GiB * 2 ** 30),
      milliCpus: 0,
    }));
    assert.ok(need !== undefined && free !== undefined);
    assert.equal(shortage(need, free, need), "has 1.4 GiB of 1.4 GiB free, it needs 1.5 GiB");
  });
});
