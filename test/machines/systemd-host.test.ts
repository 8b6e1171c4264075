// The provider's other form, where systemd runs the host: tried inside a machine, which is such a host.
import assert from "node:assert/strict";
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../../packages/keelson/src/local/command.ts";
import { repository, withMachines } from "../support/machines.ts";

test("machines run as units where systemd is PID 1, and vanish as wholly", (t) =>
  withMachines(
    t,
    { count: 1, cluster: "nest", extraPackages: ["systemd-container"] },
    async ({ cluster, machines, tree }) => {
      // /var/lib/containers of the machine is a folder of this host: what is put there is there.
      const outside = join(cluster.folder, "machines/m1/containers/nest");
      const inside = "/var/lib/containers/nest";
      const source = ["base", "local", "model/os-image.ts"].map((part) => `packages/keelson/src/${part}`);
      for (const part of [...source, "test/support"]) {
        await cp(join(repository, part), join(outside, part), { recursive: true });
      }
      await runCommand(["cp", process.execPath, join(outside, "node")]);
      await mkdir(join(outside, "layers"));
      for (const [i, layer] of tree.layers.entries()) {
        await runCommand(["cp", "--archive", layer, join(outside, "layers", String(i))]);
      }
      const layers = tree.layers.map((_, i) => `${inside}/layers/${i}`);
      const argv = [
        `${inside}/node`,
        `${inside}/test/support/systemd-host-trial.ts`,
        `${inside}/state`,
        ...layers,
      ];
      // In a unit of its own: a program that makes control groups must stand in systemd's tree itself.
      const unit = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", ...argv];
      const { code, stdout, stderr } = await machines.exec("m1", unit, { timeoutMs: 400_000 });
      assert.equal(code, 0, `${stdout}\n${stderr}`);
      assert.match(stdout, /^removed$/m);
    },
  ));
