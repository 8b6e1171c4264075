import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, Sketch } from "./sketch.ts";

const timed = (run: () => void): number => {
  const started = performance.now();
  run();
  return performance.now() - started;
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
