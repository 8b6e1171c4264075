// `keel up --provider qemu`: a cluster whose machines run the real image, with the example's containers on them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { LocalCluster } from "../../packages/keelson/src/local/cluster.ts";
import { Cluster, keel } from "../support/cluster.ts";
import { noTraces, removeAbandoned, tracesOf, whyNoMachines } from "../support/machines.ts";

const reason = whyNoMachines();
const startMs = 590_000;

describe("a cluster of virtual machines", { skip: reason }, () => {
  const cluster = new Cluster(`t${process.pid}-qemu`);

  before(
    async () => {
      await removeAbandoned();
      const up = await keel(["up", "--cluster", cluster.name, "--provider", "qemu", "--machines", "2"], {
        timeoutMs: startMs,
      });
      assert.equal(up.status, 0, up.stdout + up.stderr);
      assert.match(up.stderr, /try virtualisation: (KVM|emulated: )/);
    },
    { timeout: startMs },
  );
  after(
    async () => {
      await cluster.down();
      assert.deepEqual(await tracesOf(new LocalCluster(cluster.name)), noTraces);
    },
    { timeout: 60_000 },
  );

  test("runs the example's containers on all of them", async () => {
    const { instances } = await cluster.snapshot();
    assert.equal(instances.filter(({ state }) => state === "healthy").length, 3);
    const places = new Set(instances.map(({ machineName }) => machineName));
    const events = async (): Promise<string> => (await cluster.keel(["events"])).stdout;
    if (places.size < 2) assert.fail(`all are on ${[...places].join()}:\n${await events()}`);
    const pages = instances.map(async ({ addresses }) => (await fetch(`http://${addresses[0]}/`)).text());
    for (const page of await Promise.all(pages)) assert.match(page, /m[12]/);
  });

  test("takes their units up elsewhere when one crashes", async () => {
    const machines = await new LocalCluster(cluster.name).machines();
    const timeoutMs = 120_000 * machines.slowness;
    const killed = await cluster.keel(["machine", "kill", "m2", "--watch"], { timeoutMs });
    assert.match(killed.stdout, /m2 is lost: its lease ended/);
    const { instances } = await cluster.snapshot();
    assert.ok(instances.every(({ machineName, state }) => machineName === "m1" && state === "healthy"));
    assert.match((await cluster.keel(["machine", "list"])).stdout, /m2\s+stopped/);
  });
});
