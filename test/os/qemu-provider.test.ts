// `keel up --provider qemu`: the real image as local machines, emulated where there is no KVM. One cluster of two
// serves all tests, since a start takes long: the provider's own suite, then what the cluster does on top.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { LocalCluster } from "../../packages/keelson/src/local/cluster.ts";
import type { MachineProvider } from "../../packages/keelson/src/local/machine-provider.ts";
import { Cluster, keel } from "../support/cluster.ts";
import { noTraces, removeAbandoned, tracesOf, whyNoMachines } from "../support/machines.ts";
import { providerSuite } from "../support/provider-suite.ts";

const reason = whyNoMachines();
const startMs = 590_000;

describe("virtual machines", { skip: reason }, () => {
  const name = `t${process.pid}-qemu`;
  const local = new LocalCluster(name);
  const cluster = new Cluster(name);
  let machines: MachineProvider;

  const sh = async (machine: string, line: string): Promise<string> => {
    const timeoutMs = 60_000 * machines.slowness;
    const { code, stdout, stderr } = await machines.exec(machine, ["sh", "-c", line], { timeoutMs });
    assert.equal(code, 0, `${machine}: ${line}\nended with ${code}\n${stdout}${stderr}`);
    return stdout;
  };

  before(
    async () => {
      await removeAbandoned();
      const up = await keel(["up", "--cluster", name, "--provider", "qemu", "--machines", "2"], {
        timeoutMs: startMs,
      });
      assert.equal(up.status, 0, up.stdout + up.stderr);
      assert.match(up.stderr, /try virtualisation: (KVM|emulated: )/);
      machines = await local.machines();
    },
    { timeout: startMs },
  );
  after(
    async () => {
      await cluster.down();
      assert.deepEqual(await tracesOf(local), noTraces);
    },
    { timeout: 60_000 },
  );

  test("run the image, verified, and the example's containers in it", async () => {
    const { instances } = await cluster.snapshot();
    assert.equal(instances.filter(({ state }) => state === "healthy").length, 3);
    assert.deepEqual([...new Set(instances.map(({ machineName }) => machineName))].toSorted(), ["m1", "m2"]);
    const pages = instances.map(async ({ addresses }) => (await fetch(`http://${addresses[0]}/`)).text());
    for (const page of await Promise.all(pages)) assert.match(page, /m[12]/);
    assert.match(await sh("m1", "cat /proc/cmdline"), /keelson\.verity=/);
    assert.match(await sh("m1", "findmnt --noheadings --output FSTYPE,OPTIONS /"), /^erofs\s+ro/);
  });

  providerSuite({
    etc: "/run/keelson/etc",
    withTwo: (_t, _name, task) => task({ cluster: local, machines, sh }),
  });

  test("hand their credentials over by file, and only the host gives them commands", async () => {
    const { processes } = await tracesOf(local);
    const config = (await sh("m1", "systemd-creds --system cat keelson.config")).slice(0, 40);
    assert.ok(config.length === 40 && !processes.some((line) => line.includes(config)));
    const outward = "busybox nc -w 3 10.0.2.2 22 </dev/null && echo reached || echo refused";
    assert.equal((await sh("m1", outward)).trim(), "refused");
  });

  test("take their units back up elsewhere when one crashes", async () => {
    const timeoutMs = 120_000 * machines.slowness;
    const up = await cluster.until(
      "both machines are up, and all is healthy",
      (snapshot) =>
        snapshot.machines.every(({ state }) => state === "up") &&
        snapshot.instances.every(({ state }) => state === "healthy"),
      timeoutMs,
    );
    const victim = up.snapshot.instances[0]?.machineName ?? "";
    const other = victim === "m1" ? "m2" : "m1";
    const killed = await cluster.keel(["machine", "kill", victim, "--watch"], { timeoutMs });
    assert.match(killed.stdout, new RegExp(`${victim} is lost: its lease ended`));
    const { instances } = await cluster.snapshot();
    assert.ok(instances.every(({ machineName, state }) => machineName === other && state === "healthy"));
    const rows = await cluster.keel(["machine", "list"]);
    assert.match(rows.stdout, new RegExp(`${victim}\\s+stopped`));
  });
});
