// The images for virtio alone and for real machines, started with what such machines have: everything is up, with keeld
// and its store, runs a container that the cluster was given, and says what it costs.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { overBudget, readBudget } from "../../packages/keelson/src/image/budget.ts";
import { buildImage } from "../../packages/keelson/src/image/build-image.ts";
import { silentProgress } from "../../packages/keelson/src/local/progress.ts";
import type { Variant } from "../../packages/keelson/src/model/os-image.ts";
import { emptyDisk, makeOverlay, TestMachine, testTools } from "../os/support/machine.ts";
import { ownCluster } from "../os/support/own-cluster.ts";
import { repository, whyNoMachines } from "../support/machines.ts";

const timeout = 500_000;
const slow = { timeoutMs: 240_000 };
const diskBytes = 5 * 2 ** 30;

/** Takes the place of the tests' usual file: the machine asks for its address on every cable. */
const credentials = {
  "network.network.50-cable": "[Match]\nName=none0\n",
  "keelson.config": JSON.stringify(ownCluster),
};

const unit = `[Container]
Rootfs=/:O
Exec=/bin/sh -c 'ip -brief address show dev eth0; exec sleep infinity'
`;

/** Words that a boot's journal has when something was waited for in vain, or was not there. */
const inVain =
  /timed out|dependency failed|ordering cycle|firmware load for|failed with error -2|unknown symbol/i;

/** What is the same whatever the variant; the machine is told it. */
function holds(variant: Variant, machineOf: () => TestMachine): void {
  test("has started everything, keeld and its store too, and waited for nothing in vain", async () => {
    const machine = machineOf();
    assert.equal(await machine.untilStarted(slow), "running", await machine.sh("systemctl --failed", slow));
    assert.match(await machine.sh("cat /run/keelson/os", slow), new RegExp(`^VARIANT=${variant}$`, "m"));
    assert.equal((await machine.ssh("test -e /run/keelson/rescue", slow)).code, 1);
    await machine.sh("systemctl is-active keeld.service keelson-fence.service", slow);
    await machine.sh("until keel list-machines | grep -q 127.0.0.1; do sleep 5; done", slow);
    for (const name of ["keeld", "keelson-fence"])
      assert.equal(await machine.sh(`cat /sys/fs/cgroup/system.slice/${name}.service/cpu.weight`), "500\n");
    const journal = await machine.sh("journalctl -b --no-pager -o short-monotonic", slow);
    assert.deepEqual(
      journal.split("\n").filter((line) => inVain.test(line)),
      [],
    );
  });

  test("says what it costs, and costs no more than its budget", async (t) => {
    const text = await machineOf().sh("keel overhead -o json", slow);
    const { system, figures } = JSON.parse(text) as {
      readonly system: { readonly variant: string };
      readonly figures: Readonly<Record<string, { readonly value?: number }>>;
    };
    assert.equal(system.variant, variant);
    for (const [name, { value }] of Object.entries(figures)) t.diagnostic(`${name} ${value}`);
    const missing = Object.entries(figures).filter(([, { value }]) => value === undefined);
    assert.deepEqual(
      missing.map(([name]) => name),
      ["downloadBytes"],
      text,
    );
    const measured = Object.fromEntries(
      Object.entries(figures).map(([name, { value = 0 }]) => [name, value]),
    );
    assert.deepEqual(overBudget(await readBudget(repository, variant), measured), [], text);
  });

  test("runs a container that the cluster is given, on a network of its own", async () => {
    const machine = machineOf();
    await machine.sh("cd /run && cat > inside.container && keel start --timeout 15m inside.container", {
      ...slow,
      input: unit,
    });
    const said = "journalctl -b --no-pager -o cat -u inside.service | grep -m1 ^eth0";
    assert.match(
      await machine.sh(`until ${said}; do sleep 1; done`, slow),
      /^eth0\S*\s+UP\s+10\.\d+\.\d+\.\d+/,
    );
    await machine.sh("keel destroy inside.container", slow);
    assert.equal((await machine.sh("systemctl --failed --no-legend", slow)).trim(), "");
  });
}

const imageOf = (variant: Variant): ReturnType<typeof buildImage> =>
  buildImage({ repository, variant, version: "0.1.0", progress: silentProgress });

describe("the variant minimal", { skip: whyNoMachines() }, () => {
  let machine: TestMachine;
  before(
    async () => {
      const { disk } = await imageOf("minimal");
      machine = await TestMachine.boot({ image: disk, diskBytes, credentials, outward: true });
      await machine.untilStarted(slow);
    },
    { timeout },
  );
  after(() => machine?.[Symbol.asyncDispose]());

  holds("minimal", () => machine);
});

describe("the variant metal", { skip: whyNoMachines() }, () => {
  let folder: string;
  let machine: TestMachine;

  before(
    async () => {
      folder = await mkdtemp(join(tmpdir(), "keelson-metal-"));
      const { disk, folder: build } = await imageOf("metal");
      const overlay = join(folder, "system.qcow2");
      await makeOverlay(await testTools(), { image: disk, overlay, bytes: diskBytes });
      const array = await emptyDisk(join(folder, "array.raw"), 2 ** 26);
      const stick = await emptyDisk(join(folder, "stick.raw"), 2 ** 26);
      const drive = (id: string, format: string, file: string): string[] => [
        "-drive",
        `if=none,id=${id},format=${format},file=${file},discard=unmap`,
      ];
      const devices = [
        "ide-hd,drive=system,bus=ide.0,bootindex=0",
        "megasas-gen2,id=raid",
        "scsi-hd,drive=array,bus=raid.0",
        "qemu-xhci,id=usb",
        "usb-storage,drive=stick,bus=usb.0",
        "usb-kbd,bus=usb.0",
        "e1000e,netdev=second,mac=52:54:00:00:00:02,romfile=",
        "igb,netdev=third,mac=52:54:00:00:00:03,romfile=",
      ];
      machine = await TestMachine.boot({
        credentials,
        outward: true,
        binds: [folder, build],
        arguments: [
          ...drive("system", "qcow2", overlay),
          ...drive("array", array.format, array.file),
          ...drive("stick", stick.format, stick.file),
          "-netdev",
          "user,id=second,ipv6=off,restrict=on,net=192.0.2.0/24",
          "-netdev",
          "user,id=third,ipv6=off,restrict=on,net=198.51.100.0/24",
          ...devices.flatMap((device) => ["-device", device]),
        ],
      });
      await machine.untilStarted(slow);
    },
    { timeout },
  );
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  holds("metal", () => machine);

  test("finds drivers for all that it has", async () => {
    const found = await machine.sh("cd /sys/bus && readlink -f {pci,usb,hid,scsi}/devices/*/driver", slow);
    const drivers = new Set(
      found
        .trim()
        .split("\n")
        .map((path) => path.replace(/^.*\//, "")),
    );
    const wanted = [
      "megaraid_sas",
      "sd",
      "xhci_hcd",
      "usb-storage",
      "usbhid",
      "hid-generic",
      "e1000e",
      "igb",
    ];
    assert.deepEqual(
      [...wanted, "virtio-pci", "lpc_ich", "i801_smbus"].filter((name) => !drivers.has(name)),
      [],
      [...drivers].join(" "),
    );
    const addresses = await machine.sh("ip -brief -4 address", slow);
    for (const net of ["10.0.2", "192.0.2", "198.51.100"])
      assert.match(addresses, new RegExp(` ${net}\\.15/24`));
    assert.match(await machine.sh("cat /sys/class/watchdog/watchdog*/identity", slow), /^iTCO_wdt$/m);
    assert.match(await machine.sh("lspci", slow), /Class 0104/);
  });
});
