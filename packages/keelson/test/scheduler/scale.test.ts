import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, Sketch } from "./sketch.ts";

/** Milliseconds of this thread's processor time: what others do on the host does not count. */
const timed = (run: () => void): number => {
  const started = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(started);
  return Math.round((user + system) / 1000);
};

test("20,000 units on 1,000 machines: all are placed, stay, and leave a machine that is lost", (context) => {
  const cluster = new Sketch();
  for (let n = 1; n <= 1000; n++) cluster.machine(`m${n}`, { zone: `z${n % 10}` });
  for (let n = 0; n < 50; n++) {
    const lines =
      n % 5 === 0 ? `MachineMetadata=zone=z${n % 10}` : n % 5 === 1 ? `Conflicts=db${n}@*.service` : "";
    cluster.unit(`${n % 5 === 1 ? "db" : "web"}${n}@.service`, lines, { replicas: 400 });
  }
  const first = timed(() => cluster.run());
  const placed = [...cluster.schedule.values()].reduce((sum, entries) => sum + entries.size, 0);
  assert.equal(placed, 20_000);
  cluster.obey();
  const idle = timed(() => assert.deepEqual(cluster.run().groups, []));
  cluster.lose("m500").nowMs += 100_000;
  const failover = timed(() => cluster.run());
  assert.equal(cluster.schedule.get(idOf("m500"))?.size ?? 0, 0);
  context.diagnostic(JSON.stringify({ first, idle, failover }));
});

const asks = (n: number): string =>
  [
    "[Service]\nExecStart=/bin/true",
    `[X-Keelson]\nMemoryRequest=${20 + (n % 7)}M\nCPURequest=0.0${1 + (n % 9)}`,
    `SpreadOver=zone rack\nPrefer=disk=ssd\nPriority=${n % 3}\n`,
  ].join("\n");

test("the same when all ask for memory and processors and are spread, and when there is no room for all", (context) => {
  const cluster = new Sketch();
  for (let n = 1; n <= 1000; n++)
    cluster.machine(`m${n}`, { zone: `z${n % 10}`, rack: `r${n % 50}`, disk: n % 3 === 0 ? "ssd" : "hdd" });
  for (let n = 0; n < 50; n++) cluster.unit(`web${n}@.service`, asks(n), { replicas: 400 });
  const first = timed(() => cluster.run());
  const inRacks = new Map<string, number>();
  for (const [machine, entries] of cluster.schedule) {
    const rack = cluster.machines.get(machine)?.metadata["rack"] ?? "";
    for (const { unit } of entries.values())
      if (unit.startsWith("web7@")) inRacks.set(rack, (inRacks.get(rack) ?? 0) + 1);
  }
  assert.deepEqual(new Set(inRacks.values()), new Set([8]), "400 replicas over 50 racks");
  cluster.obey();
  const idle = timed(() => assert.deepEqual(cluster.run().groups, []));
  cluster.lose("m500").nowMs += 100_000;
  const failover = timed(() => cluster.run());
  assert.equal(cluster.schedule.get(idOf("m500"))?.size ?? 0, 0);
  cluster.obey();
  for (let n = 0; n < 10; n++)
    cluster.unit(`large${n}@.service`, asks(n).replace(/MemoryRequest=.*/, `MemoryRequest=${700 + n}M`), {
      replicas: 400,
    });
  const full = timed(() => assert.ok(cluster.run().unplaced.size > 3000));
  cluster.unit(
    "urgent@.service",
    `${asks(0).replace(/Priority=.*/, "Priority=9\nPreempt=yes")}`.replace("20M", "900M"),
    {
      replicas: 500,
    },
  );
  cluster.obey();
  const preempting = timed(() => cluster.run());
  context.diagnostic(JSON.stringify({ first, idle, failover, full, preempting }));
});
