// One image on every kind of disk that its variant knows and QEMU has: the first process finds the driver by what the
// device calls itself, and the updater the partitions by their labels, whatever the disk's name.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { BuiltImage } from "../../packages/keelson/src/image/build-image.ts";
import { makeOverlay, TestMachine, testTools } from "../os/support/machine.ts";
import { serveReleases } from "../os/support/release-server.ts";
import { testImage, writeTestRelease } from "../os/support/releases.ts";
import { whyNoMachines } from "../support/machines.ts";

const timeout = 900_000;
const slow = { timeoutMs: 240_000 };
const diskBytes = 5 * 2 ** 30;

interface Bus {
  /** QEMU's devices; the drive is called `system`. */
  readonly devices: readonly string[];
  /** As the kernel calls the disk, its state partition, and the driver below. */
  readonly disk: string;
  readonly state: string;
  readonly driver: string;
}

const buses: Readonly<Record<string, Bus>> = {
  AHCI: {
    devices: ["ide-hd,drive=system,bus=ide.0,bootindex=0"],
    disk: "sda",
    state: "sda4",
    driver: "ahci",
  },
  "virtio SCSI": {
    devices: ["virtio-scsi-pci,id=scsi", "scsi-hd,drive=system,bus=scsi.0,bootindex=0"],
    disk: "sda",
    state: "sda4",
    driver: "virtio_scsi",
  },
  "VMware's SCSI": {
    devices: ["pvscsi,id=scsi", "scsi-hd,drive=system,bus=scsi.0,bootindex=0"],
    disk: "sda",
    state: "sda4",
    driver: "vmw_pvscsi",
  },
  NVMe: {
    devices: ["nvme,drive=system,serial=keelson,bootindex=0"],
    disk: "nvme0n1",
    state: "nvme0n1p4",
    driver: "nvme",
  },
};

describe("an image's disk", { skip: whyNoMachines() }, () => {
  let folder: string;
  let image: BuiltImage;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-disks-"));
    image = await testImage("0.1.0");
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function bootOn(name: string, { devices }: Bus): Promise<TestMachine> {
    const overlay = join(folder, `${name.replaceAll(/\W/g, "-")}.qcow2`);
    await makeOverlay(await testTools(), { image: image.disk, overlay, bytes: diskBytes });
    const drive = `if=none,id=system,format=qcow2,file=${overlay},discard=unmap,detect-zeroes=unmap`;
    const machine = await TestMachine.boot({
      arguments: ["-drive", drive, ...devices.flatMap((device) => ["-device", device])],
      binds: [folder, image.folder],
      outward: true,
    });
    await machine.untilStarted(slow);
    return machine;
  }

  for (const [name, bus] of Object.entries(buses)) {
    test(`${name}: boots, is told apart by its labels, grows`, { timeout }, async () => {
      await using machine = await bootOn(name, bus);
      const facts = await machine.sh("cat /run/keelson/os", slow);
      assert.match(facts, new RegExp(`^DISK=/dev/${bus.disk}$`, "m"));
      assert.match(facts, new RegExp(`^STATE_DEVICE=/dev/${bus.state}$`, "m"));
      assert.match(facts, /^SLOT=a$/m);
      const drivers = await machine.sh(
        `for d in $(readlink -f /sys/block/${bus.disk} | sed 's,/, ,g;s,^ ,,'); do p="$p/$d"; readlink "$p/driver" || true; done`,
        slow,
      );
      assert.match(drivers, new RegExp(`/${bus.driver}$`, "m"));
      const bytes = Number(await machine.sh("df --block-size=1 --output=size /var | tail -1", slow));
      assert.ok(bytes > 1.5 * 2 ** 30, `${bytes} bytes`);
      assert.equal((await machine.sh("systemctl --failed --no-legend", slow)).trim(), "");
      assert.equal((await machine.ssh("test -e /run/keelson/rescue", slow)).code, 1);
      const status = JSON.parse(await machine.sh("keel os status -o json", slow)) as {
        readonly running: { readonly version: string };
      };
      assert.equal(status.running.version, "0.1.0");
    });
  }

  test("NVMe: an update goes into the other slot and starts", { timeout }, async () => {
    const bus = buses.NVMe;
    assert.ok(bus);
    const releases = join(folder, "releases");
    await writeTestRelease(await testImage("0.2.0"), releases);
    await using server = await serveReleases(releases);
    await using machine = await bootOn("update", bus);
    await machine.sh(`keel os update --from ${server.url} --to 0.2.0`, { timeoutMs: 400_000 });
    await machine.sh("systemctl start --no-block reboot.target", slow);
    await machine.untilRestarts(1, slow);
    await machine.untilStarted(slow);
    const facts = await machine.sh("cat /run/keelson/os", slow);
    assert.match(facts, /^VERSION=0\.2\.0$/m);
    assert.match(facts, /^ROOT_DEVICE=\/dev\/nvme0n1p3$/m);
    await machine.sh("for i in $(seq 200); do test -e /run/keelson/blessed && exit; sleep 2; done; exit 1", {
      timeoutMs: 400_000,
    });
  });
});
