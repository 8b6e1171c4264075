// Machines without a system: a medium that installs itself and the disk that starts afterwards, and a machine that
// starts from the network.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Disk } from "../../packages/keelson/src/local/qemu/virtual-machine.ts";
import { whyNoMachines } from "../support/machines.ts";
import { Exports } from "../os/support/exports.ts";
import { emptyDisk, TestMachine } from "../os/support/machine.ts";

const timeout = 590_000;
const userData = "#cloud-config\nhostname: from-the-medium\n";
/** The whole system is in memory. */
const memoryBytes = 2 * 2 ** 30;

describe("an installation", { skip: whyNoMachines() }, () => {
  let exports: Exports;
  let medium: Disk;
  let target: Disk;
  before(
    async () => {
      exports = await Exports.open();
      const { path } = await exports.make("iso", { cloudConfig: Buffer.from(userData), installTo: "auto" });
      medium = { file: path, format: "raw", readOnly: true, optical: true };
      target = await emptyDisk(join(exports.folder, "target.raw"), 5 * 2 ** 30);
    },
    { timeout },
  );
  after(() => exports[Symbol.asyncDispose]());

  test("from a medium takes the only empty disk, and switches the machine off", { timeout }, async () => {
    await using machine = await TestMachine.boot({ disks: [medium, target], memoryBytes, configured: false });
    await machine.untilConsole(/Keelson is installed/, { timeoutMs: 100_000 });
    await machine.untilOff({ timeoutMs: 20_000 });
  });

  test("starts from that disk, with the medium's configuration", { timeout }, async () => {
    await using machine = await TestMachine.boot({ disks: [target] });
    await machine.untilStarted();
    assert.match(await machine.sh("findmnt --noheadings --output SOURCE,FSTYPE /"), /\/dev\/dm-0\s+erofs/);
    assert.equal(await machine.sh("cat /var/lib/keelson/provision/seed/user-data"), userData);
    assert.equal((await machine.sh("hostname")).trim(), "from-the-medium");
  });

  test("from a medium leaves a disk alone that is used", { timeout }, async () => {
    await using machine = await TestMachine.boot({ disks: [medium, target], memoryBytes, configured: false });
    await machine.untilConsole(/no empty disk was found[^]*Keelson is not installed/, { timeoutMs: 100_000 });
    assert.ok(machine.isOn);
  });

  test("in a system from the network refuses a disk that is used", { timeout }, async () => {
    const { path } = await exports.make("pxe");
    await using machine = await TestMachine.boot({
      firmware: "bios",
      kernel: {
        image: join(path, "vmlinuz"),
        initrd: join(path, "initrd"),
        commandLine: (await readFile(join(path, "cmdline"), "utf8")).trim(),
      },
      disks: [target],
      memoryBytes,
    });
    await machine.untilSsh();
    const { code, stderr } = await machine.ssh("keel os install /dev/vda --yes");
    assert.equal(code, 4);
    assert.match(stderr, /KEEL-355/);
  });
});
