// Machines that start badly, beyond what the image's own suite has time for: a root that is nowhere, a state partition
// whose head is damaged and mended again, one that is gone, a trial that ends in emergency mode, one whose watch is
// killed; and the boot menu.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { runCommand } from "../../packages/keelson/src/local/command.ts";
import { runTool } from "../../packages/keelson/src/local/tree/tools-tree.ts";
import { TestMachine, testTools } from "../os/support/machine.ts";
import { testImage } from "../os/support/releases.ts";
import { stagedKernel, twoVersions } from "../os/support/two-versions.ts";
import { whyNoMachines } from "../support/machines.ts";

const timeout = 900_000;
const slow = { timeoutMs: 240_000 };
const diskBytes = 5 * 2 ** 30;

async function restart(machine: TestMachine, starts = 1): Promise<void> {
  const { restarts } = machine;
  await machine.ssh("systemctl start --no-block reboot.target");
  await machine.untilRestarts(restarts + starts, { timeoutMs: 480_000 });
  await machine.untilStarted(slow);
}

describe("a machine whose root is nowhere", { skip: whyNoMachines() }, () => {
  test("says so on its console, and restarts", { timeout }, async () => {
    const { folder } = await testImage("0.1.0");
    const commandLine = (await readFile(join(folder, "cmdline"), "utf8")).trim();
    const kernel = { image: join(folder, "vmlinuz"), initrd: join(folder, "initrd.zst"), commandLine };
    await using machine = await TestMachine.boot({ firmware: "bios", kernel });
    await machine.untilConsole(/cannot start: no slot keelson-root-a or keelson-root-b holds the root/, slow);
    await machine.untilRestarts(1, slow);
  });
});

describe("a state partition", { skip: whyNoMachines() }, () => {
  let folder: string;
  before(async () => void (folder = await mkdtemp(join(tmpdir(), "keelson-rescue-"))));
  after(() => rm(folder, { recursive: true, force: true }));

  test(
    "whose head is damaged leads into the rescue state, is repaired and serves again",
    { timeout },
    async () => {
      await using machine = await TestMachine.boot({ image: (await testImage("0.1.0")).disk, diskBytes });
      await machine.untilStarted(slow);
      const identity = "cat /etc/machine-id /var/kept";
      const kept = await machine.sh(`echo words that stay >/var/kept; sync; ${identity}`, slow);
      const { length } = await machine.consoleText();
      await machine.sh("dd if=/dev/zero of=/dev/vda4 bs=4096 count=1 conv=notrunc oflag=direct status=none");
      await machine.reset();
      await machine.untilConsole(/RESCUE STATE/, { ...slow, from: length });
      await machine.untilConsole(/\/dev\/vda4 \(keelson-state\) could not be mended/, {
        ...slow,
        from: length,
      });
      await machine.untilStarted(slow);
      const told = await machine.ssh("keel os rescue", slow);
      assert.equal(told.code, 1);
      assert.match(told.stdout, /keelson-state[^]*keel os rescue --repair/);
      assert.notEqual((await machine.ssh("systemctl is-active keeld.service", slow)).code, 0);
      await machine.sh("keel os rescue --repair", slow);
      await restart(machine);
      assert.equal((await machine.ssh("test -e /run/keelson/rescue", slow)).code, 1);
      assert.equal(await machine.sh(identity, slow), kept);
      assert.equal((await machine.sh("systemctl --failed --no-legend", slow)).trim(), "");
      assert.match((await machine.ssh("keel os rescue --repair", slow)).stderr, /KEEL-862/);
    },
  );

  test("that is gone is made anew by the machine itself", { timeout }, async () => {
    const disk = join(folder, "without-state.raw");
    await runCommand(["cp", "--sparse=always", (await testImage("0.1.0")).disk, disk]);
    await runTool(await testTools(), ["sfdisk", "--quiet", "--delete", disk, "4"], { binds: [folder] });
    await using machine = await TestMachine.boot({ image: disk, diskBytes });
    await machine.untilConsole(/this disk has no partition keelson-state/, slow);
    await machine.untilStarted(slow);
    assert.match(await machine.sh("cat /run/keelson/os", slow), /^STATE_DEVICE=$/m);
    assert.match((await machine.ssh("keel os rescue --repair", slow)).stderr, /KEEL-862/);
    await machine.sh("keel os rescue --reformat --yes", slow);
    await restart(machine);
    assert.equal((await machine.ssh("test -e /run/keelson/rescue", slow)).code, 1);
    assert.match(await machine.sh("cat /run/keelson/os", slow), /^STATE_DEVICE=\/dev\/vda4$/m);
    assert.equal(await machine.sh("findmnt -no FSTYPE /var", slow), "ext4\n");
    assert.equal((await machine.sh("systemctl --failed --no-legend", slow)).trim(), "");
  });
});

describe("a boot on trial", { skip: whyNoMachines() }, () => {
  let folder: string;
  let machine: TestMachine;

  before(
    async () => {
      folder = await mkdtemp(join(tmpdir(), "keelson-trial-"));
      machine = await TestMachine.boot({ image: (await twoVersions(folder, testImage)).disk, diskBytes });
      await machine.untilStarted(slow);
      await machine.sh("mkdir -p /run/keelson/etc/keelson", slow);
      await machine.sh("echo DEADLINE_SECONDS=1200 > /run/keelson/etc/keelson/gate.conf", slow);
    },
    { timeout },
  );
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const version = async (): Promise<string> =>
    (await machine.sh("sed -n s/^VERSION=//p /run/keelson/os", slow)).trim();

  /** The second version starts next, with one try, and a unit that only it starts. */
  const onTrial = async (name: string, target: string, text: string): Promise<void> => {
    await machine.sh(
      `cd /run/keelson/etc/systemd/system && mkdir -p ${target}.wants && cat > ${name} && ln -sf ../${name} ${target}.wants/`,
      { ...slow, input: `[Unit]\nConditionKernelCommandLine=keelson.version=0.2.0\n${text}` },
    );
    const entry = "/run/esp/EFI/Linux/keelson_0.2.0";
    const stage = `rm -f ${entry}* && cp /run/esp/${stagedKernel} ${entry}+1.efi`;
    await machine.sh(
      `mkdir -p /run/esp && mount /dev/vda1 /run/esp && { ${stage}; }; result=$?; umount /run/esp; exit $result`,
      slow,
    );
  };

  test("that ends in emergency mode falls back, and says so", { timeout }, async () => {
    const unit = "OnFailure=emergency.target\nOnFailureJobMode=isolate\n[Service]\nType=oneshot\n";
    await onTrial("broken.service", "multi-user.target", `${unit}ExecStart=/bin/false\n`);
    await restart(machine, 2);
    assert.equal(await version(), "0.1.0");
    await machine.sh("systemctl start keelson-gate.service", { timeoutMs: 400_000 });
    const failed = await machine.sh("cat /var/lib/keelson/os/failed/0.2.0.json", slow);
    assert.match(failed, /emergency/i);
    await machine.sh("rm -r /run/keelson/etc/systemd/system/broken.service /var/lib/keelson/os/failed", slow);
  });

  test("keeps a watch that is started again when it is killed", { timeout }, async () => {
    await onTrial(
      "hold.service",
      "multi-user.target",
      "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'until [ -e /run/go ]; do sleep 1; done'\n",
    );
    const { restarts } = machine;
    await machine.ssh("systemctl start --no-block reboot.target");
    await machine.untilRestarts(restarts + 1, slow);
    await machine.untilSsh(slow);
    assert.equal(await version(), "0.2.0");
    const show = "systemctl show --value -p MainPID keelson-trial-watch.service";
    const pid = (await machine.sh(show, slow)).trim();
    assert.notEqual(pid, "0");
    await machine.sh("systemctl kill -s KILL keelson-trial-watch.service", slow);
    const fresh = await machine.sh(
      `for i in $(seq 60); do pid=$(${show}); [ "$pid" != 0 ] && [ "$pid" != ${pid} ] && echo $pid && exit; sleep 1; done; exit 1`,
      slow,
    );
    assert.notEqual(fresh.trim(), pid);
    await machine.sh("touch /run/go", slow);
    await machine.sh("systemctl start keelson-gate.service && test -e /run/keelson/blessed", {
      timeoutMs: 400_000,
    });
    assert.equal(machine.restarts, restarts + 1);
    await machine.sh("find /run/keelson/etc/systemd/system -name hold.service -delete; sync", slow);
  });

  test(
    "leaves the version before in the boot menu, which a key at the start opens",
    { timeout },
    async () => {
      assert.equal(await version(), "0.2.0");
      const press = (data: string): Promise<unknown> =>
        machine.control("send-key", { keys: [{ type: "qcode", data }] });
      const { length } = await machine.consoleText();
      await machine.reset();
      const menu = async (): Promise<string> => (await machine.consoleText()).slice(length);
      for (const end = performance.now() + 120_000; !/Keelson[^]*0\.2\.0[^]*0\.1\.0/.test(await menu());) {
        assert.ok(performance.now() < end, await menu());
        await press("spc");
        await sleep(200);
      }
      await press("down");
      await press("ret");
      await machine.untilStarted(slow);
      assert.equal(await version(), "0.1.0");
      await restart(machine);
      assert.equal(await version(), "0.2.0", "for one start only");
    },
  );
});
