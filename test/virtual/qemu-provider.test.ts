// The real image as local machines, emulated where there is no KVM. A start takes long, so that one pair of machines
// serves the providers' whole suite.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { buildImage } from "../../packages/keelson/src/image/build-image.ts";
import type { MachineProvider } from "../../packages/keelson/src/local/machine-provider.ts";
import { silentProgress } from "../../packages/keelson/src/local/progress.ts";
import {
  newCluster,
  noTraces,
  removeAbandoned,
  repository,
  tracesOf,
  whyNoMachines,
} from "../support/machines.ts";
import { providerSuite } from "../support/provider-suite.ts";
import { testAccelerator, testTools } from "../os/support/machine.ts";

const reason = whyNoMachines();
const startMs = 590_000;

/** Runs shell lines in machines; throws unless they succeed. */
const shellOf =
  (machines: () => MachineProvider) =>
  async (machine: string, line: string): Promise<string> => {
    const timeoutMs = 60_000 * machines().slowness;
    const { code, stdout, stderr } = await machines().exec(machine, ["sh", "-c", line], { timeoutMs });
    assert.equal(code, 0, `${machine}: ${line}\nended with ${code}\n${stdout}${stderr}`);
    return stdout;
  };

describe("a virtual machine", { skip: reason }, () => {
  const cluster = newCluster("vm");
  let machines: MachineProvider;
  const sh = shellOf(() => machines);

  before(
    async () => {
      await removeAbandoned();
      const { disk } = await buildImage({
        repository,
        variant: "vm",
        version: "0.1.0",
        progress: silentProgress,
      });
      const { name: accelerator } = await testAccelerator();
      await cluster.create(
        [],
        {},
        {
          image: disk,
          tools: await testTools(),
          accelerator,
          memoryBytes: 2 ** 29,
          processors: 1,
          diskBytes: Math.max(2 ** 33, statSync(disk).size),
        },
      );
      machines = await cluster.machines();
      const credentials = (): Record<string, string> => ({ "test.secret": "hidden-value" });
      for (const name of ["m1", "m2"]) await machines.create({ name, credentials });
      await Promise.all(["m1", "m2"].map((name) => machines.start(name)));
      await Promise.all(["m1", "m2"].map((name) => machines.ready(name)));
    },
    { timeout: startMs },
  );
  after(
    async () => {
      await cluster.destroy();
      assert.deepEqual(await tracesOf(cluster), noTraces);
    },
    { timeout: 60_000 },
  );

  providerSuite({ etc: "/run/keelson/etc", withTwo: (_t, _name, task) => task({ cluster, machines, sh }) });

  test("runs the image, verified, on a disk that has grown", async () => {
    assert.match(await sh("m1", "cat /proc/cmdline"), /keelson\.verity=/);
    assert.match(await sh("m1", "findmnt --noheadings --output FSTYPE,OPTIONS /"), /^erofs\s+ro/);
    const kilobytes = Number(await sh("m1", "df --output=size /var | tail -n 1"));
    assert.ok(kilobytes > 4 * 2 ** 20, `${kilobytes} kB on /var`);
  });

  test("gets its credentials by file, and commands from the host only", async () => {
    assert.equal(await sh("m1", "systemd-creds --system cat test.secret"), "hidden-value");
    const { processes } = await tracesOf(cluster);
    assert.ok(processes.length >= 2 && !processes.some((line) => line.includes("hidden-value")));
    const outward = "busybox nc -w 3 10.0.2.2 22 </dev/null && echo reached || echo refused";
    assert.equal((await sh("m1", outward)).trim(), "refused");
  });
});
