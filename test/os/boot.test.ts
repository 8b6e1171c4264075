// What happens inside the booted image, on one machine with two versions of it: the first boot, a version that
// holds, versions that fail, hang and are tampered with, a block that was changed, a state partition that is lost.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { overBudget, readBudget } from "../../packages/keelson/src/image/budget.ts";
import { parseExposureLimits } from "../../packages/keelson/src/image/exposure.ts";
import type { BootRecord } from "../../packages/keelson/src/updater/boot-records.ts";
import { parseBootRecords } from "../../packages/keelson/src/updater/boot-records.ts";
import type { FailedVersion } from "../../packages/keelson/src/updater/failed-versions.ts";
import { TestMachine } from "./support/machine.ts";
import { ownCluster } from "./support/own-cluster.ts";
import { stagedKernel, twoVersions } from "./support/two-versions.ts";
import type { TwoVersions } from "./support/two-versions.ts";

const repository = resolve(import.meta.dirname, "../..");
const diskBytes = 6 * 2 ** 30;
/** Takes the place of the tests' usual file: the machine finds its network by itself, as it does anywhere. */
const noCable = { "network.network.50-cable": "[Match]\nName=none0\n" };
const bootMs = 240_000;

describe("the booted image", { timeout: 1_500_000 }, () => {
  let folder: string;
  let versions: TwoVersions;
  let machine: TestMachine;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-boot-test-"));
    versions = await twoVersions(folder);
    // QEMU's DHCP names a name server only where the network leads outward.
    machine = await TestMachine.boot({
      image: versions.disk,
      diskBytes,
      credentials: noCable,
      outward: true,
    });
    await machine.untilStarted({ timeoutMs: bootMs });
    // An emulated machine on a busy host is slow: only what hangs is to meet its deadline.
    await machine.sh("mkdir -p /run/keelson/etc/keelson");
    await setDeadline(1200);
  });

  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const setDeadline = (seconds: number): Promise<string> =>
    machine.sh(`echo DEADLINE_SECONDS=${seconds} > /run/keelson/etc/keelson/gate.conf`);
  const version = async (): Promise<string> =>
    (await machine.sh("sed -n s/^VERSION=//p /run/keelson/os")).trim();
  const boots = async (): Promise<readonly BootRecord[]> =>
    parseBootRecords(await machine.sh("cat /var/lib/keelson/os/boots.jsonl"));
  const entries = (): Promise<string> => onEsp("ls -1 /run/esp/EFI/Linux");
  const onEsp = (line: string): Promise<string> =>
    machine.sh(
      `mkdir -p /run/esp && mount /dev/vda1 /run/esp && { ${line}; }; result=$?; umount /run/esp; exit $result`,
    );
  const failed = async (): Promise<FailedVersion> =>
    JSON.parse(await machine.sh("cat /var/lib/keelson/os/failed/0.2.0.json")) as FailedVersion;

  /** Restarts it, and waits until it has come up after so many starts. */
  async function restart(starts: number): Promise<void> {
    const sofar = machine.restarts;
    await machine.ssh("systemctl start --no-block reboot.target");
    await machine.untilRestarts(sofar + starts, { timeoutMs: 2 * bootMs });
    await machine.untilStarted({ timeoutMs: bootMs });
  }

  /** Makes the second version the next to start, with one try. */
  const onTrial = (): Promise<string> =>
    onEsp(
      `rm -f /run/esp/EFI/Linux/keelson_0.2.0* && cp /run/esp/${stagedKernel} /run/esp/EFI/Linux/keelson_0.2.0+1.efi`,
    );

  /** A unit that only the second version starts, as if that had brought it. */
  const unitOfSecond = (name: string, text: string): Promise<string> =>
    machine.sh(
      `cd /run/keelson/etc/systemd/system && mkdir -p sysinit.target.wants && cat > ${name} && ln -sf ../${name} sysinit.target.wants/`,
      { input: `[Unit]\nConditionKernelCommandLine=keelson.version=0.2.0\n${text}` },
    );
  const withoutUnit = (name: string): Promise<string> =>
    machine.sh(`cd /run/keelson/etc/systemd/system && rm ${name} sysinit.target.wants/${name}`);

  test("the first boot: nothing failed, no cycle, on record, the journal and the state on the disk", async () => {
    assert.equal((await machine.sh("systemctl --failed --no-legend")).trim(), "");
    assert.doesNotMatch(await machine.sh("journalctl -b --no-pager"), /ordering cycle/i);
    const [first, ...more] = await boots();
    assert.deepEqual(more, []);
    assert.equal(first?.version, "0.1.0");
    assert.equal(first?.slot, "a");
    assert.equal(first?.trial, undefined);
    assert.match(first?.commandLine ?? "", /keelson\.verity=/);
    const id = (await machine.sh("cat /etc/machine-id")).trim();
    assert.match(id, /^[0-9a-f]{32}$/);
    assert.match(await machine.sh(`ls /var/log/journal/${id}`), /system\.journal/);
    assert.equal((await machine.sh("ls -A /run/log/journal 2>/dev/null || true")).trim(), "");
  });

  test("the state partition has grown to the disk", async () => {
    const bytes = Number(await machine.sh("df --block-size=1 --output=size /var | tail -1"));
    assert.ok(bytes > 2.5 * 2 ** 30, `${bytes} bytes`);
  });

  test("/etc is read-only, and can be written where only root is told to", async () => {
    assert.notEqual((await machine.ssh("touch /etc/made")).code, 0);
    await machine.sh("echo by hand > /run/keelson/etc/made && grep -q hand /etc/made");
    assert.match(await machine.sh("keel os etc"), /^\/etc\/made +foreign/m);
  });

  test("name servers come from DHCP and from files of the network, to libc and to containers", async () => {
    const resolver = (): Promise<string> => machine.sh("cat /etc/resolv.conf");
    assert.match(await resolver(), /^nameserver 10\.0\.2\.3$/m);
    await machine.sh(
      "mkdir -p /run/systemd/network && cd /run/systemd/network && printf '[NetDev]\\nName=extra0\\nKind=dummy\\n' > 10-extra.netdev && cat > 10-extra.network && networkctl reload",
      {
        input:
          "[Match]\nName=extra0\n[Network]\nAddress=192.0.2.1/24\nDNS=192.0.2.53\nDomains=example.test\nIPv6AcceptRA=no\n",
      },
    );
    await machine.sh("until grep -q 192.0.2.53 /etc/resolv.conf; do sleep 1; done", { timeoutMs: 30_000 });
    assert.match(await resolver(), /^nameserver 10\.0\.2\.3$[^]*^search example\.test$/m);
    const inside = await machine.sh("podman run --rm --network=host --rootfs /:O cat /etc/resolv.conf", {
      timeoutMs: 120_000,
    });
    assert.match(inside, /^nameserver 192\.0\.2\.53$/m);
  });

  test("the kernel is set up as the page on security says", async () => {
    const page = await readFile(join(repository, "docs/security-of-the-image.md"), "utf8");
    const settings = [...page.matchAll(/^\| `((?:kernel|fs|dev|net)\.[\w.]+)`[^|]*\| (\d+) \|/gm)];
    assert.ok(settings.length >= 12);
    const names = settings.map(([, name = ""]) => name);
    const found = (await machine.sh(`sysctl -n ${names.join(" ")}`)).trim().split("\n");
    assert.deepEqual(
      names.map((name, i) => [name, found[i]]),
      settings.map(([, name, value]) => [name, value]),
    );
  });

  test("every service that has run is among those whose exposure is held", async () => {
    const limits = parseExposureLimits(await readFile(join(repository, "os/exposure.json"), "utf8"));
    const shown = await machine.sh(
      "systemctl show --property=Id,ExecMainStartTimestampMonotonic --value '*.service'",
    );
    const ran = shown
      .trim()
      .split("\n\n")
      .map((pair) => pair.split("\n").toSorted())
      .flatMap(([began, id = ""]) => (Number(began) > 0 ? [id] : []));
    assert.ok(ran.includes("systemd-networkd.service"), shown);
    const unknown = ran
      .map((name) => name.replace(/@.*\.service$/, "@x.service"))
      .filter((name) => !(name in limits));
    assert.deepEqual(unknown, [], "os/exposure.json has no figure for them");
  });

  test("it costs no more than its budget, with keeld and its store running", async (t) => {
    await machine.sh(
      "mkdir -p /run/keelson/etc/credstore && cd /run/keelson/etc/credstore && umask 077 && cat > keelson.config && systemctl start keelson-fence.service keeld.service && sleep 15",
      { input: JSON.stringify(ownCluster), timeoutMs: 180_000 },
    );
    const text = await machine.sh("keel overhead -o json", { timeoutMs: 120_000 });
    const { figures } = JSON.parse(text) as {
      readonly figures: Readonly<Record<string, { readonly value?: number; readonly missing?: string }>>;
    };
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
    assert.deepEqual(overBudget(await readBudget(repository), measured), [], text);
    assert.match(await machine.sh("keel overhead", { timeoutMs: 120_000 }), /memory used.* % of stock/);
    await machine.sh(
      "systemctl stop keeld.service keelson-fence.service && rm -r /run/keelson/etc/credstore/keelson.config /var/lib/keelson/store",
    );
  });

  test("the gate finds the boot good, without blessing or restarting anything", async () => {
    await machine.sh("systemctl start keelson-gate.service", { timeoutMs: 300_000 });
    assert.equal((await boots()).at(-1)?.verdict?.verdict, "good");
    assert.match(await entries(), /^keelson_0\.1\.0\.efi$/m);
    assert.equal(machine.restarts, 0);
  });

  test("a version on trial that is healthy is blessed; identity and accounts come along", async () => {
    const keys = "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub /etc/made";
    const identity = await machine.sh(keys);
    await machine.sh(
      "echo core:x:1000:1000::/home/core:/bin/sh > /run/core && cat /run/core >> /run/keelson/etc/passwd",
    );
    await onTrial();
    await restart(1);
    assert.equal(await version(), "0.2.0");
    assert.equal(await machine.sh("systemctl is-active boot-complete.target").catch(String), "active\n");
    assert.match(await entries(), /^keelson_0\.2\.0\.efi$/m);
    const last = (await boots()).at(-1);
    assert.deepEqual(last?.trial, { left: 0, done: 1 });
    assert.equal(last?.slot, "b");
    assert.equal(last?.verdict?.verdict, "good");
    assert.ok((await boots()).at(-2)?.endedAt, "the boot before ended on purpose");
    assert.equal(await machine.sh(keys), identity);
    assert.match(await machine.sh("cat /etc/passwd"), /^core:x:1000/m);
    assert.equal((await machine.sh("systemctl --failed --no-legend")).trim(), "");
  });

  test("a version whose unit fails goes back by itself, with the reason and its journal", async () => {
    await unitOfSecond(
      "bad.service",
      "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo words of the failed; exit 3'\n",
    );
    await onTrial();
    await restart(2);
    assert.equal(await version(), "0.1.0");
    assert.match(await entries(), /^keelson_0\.2\.0\+0-1\.efi$/m);
    const { reasons, journal, tries } = await failed();
    assert.match(reasons.join("\n"), /bad\.service has failed/);
    assert.match(journal, /words of the failed/);
    assert.equal(tries, 1);
    await withoutUnit("bad.service");
  });

  test("a version that hangs before the gate goes back by itself, and leaves its journal", async () => {
    await machine.sh("rm -r /var/lib/keelson/os/failed");
    await setDeadline(30);
    await unitOfSecond(
      "hang.service",
      "DefaultDependencies=no\nBefore=sysinit.target\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo words before the hang; exec sleep infinity'\n",
    );
    await onTrial();
    await restart(2);
    assert.equal(await version(), "0.1.0");
    await machine.sh("systemctl start keelson-gate.service", { timeoutMs: 300_000 });
    const { reasons, journal } = await failed();
    assert.match(reasons.join("\n"), /cut off before anything was decided|hung/);
    assert.match(journal, /words before the hang/);
    await withoutUnit("hang.service");
    await setDeadline(1200);
  });

  test("a version with a changed block restarts on reading it, and goes back", async () => {
    const offset = await versions.offsetOf(versions.second, "What only a boot on trial has");
    await machine.sh(`printf X | dd of=/dev/vda3 bs=1 seek=${offset} conv=notrunc && sync`);
    await onTrial();
    await restart(2);
    assert.equal(await version(), "0.1.0");
    assert.match(await entries(), /^keelson_0\.2\.0\+0-1\.efi$/m);
  });

  test("a block that is changed under the running system is refused when it is read", async () => {
    const offset = await versions.offsetOf(
      versions.first,
      "Started from a medium that says where it wants to be installed",
    );
    const put = (from: string): Promise<string> =>
      machine.sh(
        `${from} | dd of=/dev/vda2 bs=1 seek=${offset} conv=notrunc && sync && echo 3 > /proc/sys/vm/drop_caches`,
      );
    await machine.sh(`dd if=/dev/vda2 of=/run/was bs=1 skip=${offset} count=1`);
    await put("printf X");
    const { code, stderr } = await machine.ssh("cat /usr/lib/keelson/live-install");
    assert.notEqual(code, 0);
    assert.match(stderr, /Input\/output error/);
    assert.match(await machine.sh("journalctl -b -k --no-pager"), /verity.*corrupted/);
    const restarts = machine.restarts;
    // Other files have parts of themselves in the same block: with it as it was, they are there again.
    await put("cat /run/was");
    await machine.sh("cat /usr/lib/keelson/live-install");
    assert.equal(machine.restarts, restarts, "not on trial: it goes on");
  });

  test("without its state it starts into the rescue state, says so everywhere, and changes nothing", async () => {
    const { length } = await machine.consoleText();
    await machine.sh("dd if=/dev/zero of=/dev/vda4 bs=1M count=1024 conv=notrunc oflag=direct; sync");
    await machine.reset();
    await machine.untilConsole(/RESCUE STATE/, { timeoutMs: bootMs, from: length });
    await machine.untilStarted({ timeoutMs: bootMs });
    const digest = (): Promise<string> => machine.sh("head -c 64M /dev/vda4 | sha256sum");
    const before_ = await digest();
    const { code, stdout } = await machine.ssh("keel os rescue", { timeoutMs: 120_000 });
    assert.equal(code, 1);
    assert.match(stdout, /RESCUE: .*keelson-state/);
    assert.match(await machine.sh("cat /run/keelson/rescue-banner"), /keel os rescue/);
    assert.equal(await machine.sh("findmnt -no FSTYPE /var"), "tmpfs\n");
    assert.equal(await digest(), before_);
  });

  test("made anew, the state serves again", async () => {
    await machine.sh("keel os rescue --reformat --yes", { timeoutMs: 120_000 });
    await restart(1);
    assert.equal(await machine.sh("findmnt -no FSTYPE /var"), "ext4\n");
    assert.equal((await machine.ssh("test -e /run/keelson/rescue")).code, 1);
    assert.equal((await machine.sh("systemctl --failed --no-legend")).trim(), "");
  });
});
