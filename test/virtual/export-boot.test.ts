// The real image in every form that is a disk, started from it: the machine writes elsewhere, and reads the form itself.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runCommand } from "../../packages/keelson/src/local/command.ts";
import { whyNoMachines } from "../support/machines.ts";
import { Exports } from "../os/support/exports.ts";
import { TestMachine } from "../os/support/machine.ts";

const timeout = 590_000;

describe("an export", { skip: whyNoMachines() }, () => {
  let exports: Exports;
  before(
    async () => {
      exports = await Exports.open();
    },
    { timeout },
  );
  after(() => exports[Symbol.asyncDispose]());

  /** Boots until its systemd has started everything, from slot A of a disk of this form. */
  async function starts(image: string, imageFormat: string): Promise<void> {
    await using machine = await TestMachine.boot({ image, imageFormat });
    assert.equal(await machine.untilStarted(), "running", await machine.sh("systemctl --failed --no-legend"));
    assert.match(await machine.sh("cat /run/keelson/os"), /^SLOT=a$/m);
    assert.match(await machine.sh("findmnt --noheadings --output SOURCE,FSTYPE /"), /\/dev\/dm-0\s+erofs/);
  }

  for (const [format, name] of [
    ["raw", "raw"],
    ["qcow2", "qcow2"],
    ["openstack", "qcow2"],
    ["vhd", "vpc"],
    ["vhd-dynamic", "vpc"],
    ["vhdx", "vhdx"],
  ] as const)
    test(`starts as ${format}`, { timeout }, async () => {
      const { path } = await exports.make(format);
      await starts(path, name);
      await rm(path);
    });

  test("starts from the VMDK in an OVA", { timeout }, async () => {
    const { path } = await exports.make("ova");
    const argv = ["tar", "--extract", "--file", path, "--directory", exports.folder, "--wildcards", "*.vmdk"];
    const disk = (await runCommand([...argv, "--verbose"])).trim();
    await starts(join(exports.folder, disk), "vmdk");
  });

  test("starts from the disk in Google's archive", { timeout }, async () => {
    const { path } = await exports.make("gce");
    await runCommand([
      "tar",
      "--extract",
      "--gzip",
      "--sparse",
      "--file",
      path,
      "--directory",
      exports.folder,
    ]);
    await starts(join(exports.folder, "disk.raw"), "raw");
  });
});
