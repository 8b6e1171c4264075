// First-boot configuration on the real image: from a NoCloud disk that changes, and from a credential that makes a
// cluster of one machine.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runTool } from "../../packages/keelson/src/local/tree/tools-tree.ts";
import { whyNoMachines } from "../support/machines.ts";
import { testImage } from "../os/support/image.ts";
import { emptyDisk, TestMachine, testTools } from "../os/support/machine.ts";

const timeout = 400_000;
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGV4YW1wbGVleGFtcGxlZXhhbXBsZWV4YW1wbGVl me@example";
const hash =
  "$6$saltsalt$vaaYZWLzfHDMlTRPFxGzYL6VRbx8gpZ4QV9AqMJxbVqJnDBjDtH4F1J0A3VqkVxkYkqfDrEAZlF6fZQyHVzBe0";

interface Wanted {
  readonly motd: string;
  readonly withIssue: boolean;
}

const cloudConfig = ({ motd, withIssue }: Wanted): string => `#cloud-config
manage_etc_hosts: true
users:
  - name: core
    passwd: ${hash}
    groups: [sudo]
    ssh_authorized_keys: ["${key}"]
write_files:
  - {path: /etc/motd, content: "${motd}\\n", permissions: 0640, owner: "core:core"}
${withIssue ? "  - {path: /etc/issue.net, content: mine}" : ""}
coreos:
  units:
    - name: hello.service
      command: start
      content: |
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/bin/sh -c 'echo started >>/var/lib/hello.log'
`;

describe("first boot", { skip: whyNoMachines() }, () => {
  let folder: string;
  let disk: string;
  let machine: TestMachine;

  /** Puts user-data and meta-data on the disk called cidata; the machine is off. */
  async function write(wanted: Wanted): Promise<void> {
    const tree = await testTools();
    await writeFile(join(folder, "user-data"), cloudConfig(wanted));
    await writeFile(join(folder, "meta-data"), "instance-id: i-1\nlocal-hostname: web-1\n");
    for (const name of ["user-data", "meta-data"])
      await runTool(tree, ["mcopy", "-o", "-i", disk, join(folder, name), `::${name}`], { binds: [folder] });
  }

  before(
    async () => {
      folder = await mkdtemp(join(tmpdir(), "keelson-provision-"));
      disk = join(folder, "seed.img");
      const seed = await emptyDisk(disk, 4 << 20);
      await runTool(await testTools(), ["mkfs.vfat", "-n", "CIDATA", disk], { binds: [folder] });
      await write({ motd: "one", withIssue: true });
      machine = await TestMachine.boot({ image: (await testImage()).disk, disks: [seed] });
      await machine.untilStarted();
    },
    { timeout },
  );
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const provisioned = (): Promise<string> =>
    machine.sh("systemctl show -P Result -P ActiveState keelson-provision.service");

  test("from a NoCloud disk sets up name, user, keys, files and units", { timeout }, async () => {
    assert.match(await provisioned(), /active/);
    assert.equal((await machine.sh("hostname; cat /etc/hostname")).trim(), "web-1\nweb-1");
    assert.match(await machine.sh("cat /etc/hosts"), /^127\.0\.1\.1 web-1$/m);
    assert.match(
      await machine.sh("id core"),
      /^uid=1000\(core\) gid=1000\(core\) groups=1000\(core\),\d+\(sudo\)$/m,
    );
    assert.match(await machine.sh("getent shadow core"), /^core:\$6\$saltsalt\$/);
    assert.equal(
      (await machine.sh("stat -c '%U:%G %a' /etc/motd; cat /etc/motd")).trim(),
      "core:core 640\none",
    );
    assert.equal(
      (await machine.sh("sshd -T -C user=core,host=x,addr=1.1.1.1 | grep authorizedkeysfile")).trim(),
      "authorizedkeysfile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u",
    );
    assert.equal((await machine.sh("cat /etc/ssh/authorized_keys.d/core")).trim(), key);
    assert.equal(
      (await machine.sh("systemctl is-active hello.service; cat /var/lib/hello.log")).trim(),
      "active\nstarted",
    );
    const status = JSON.parse(await machine.sh("keel os provision status -o json")) as {
      source: { kind: string };
      instance: string;
      failures: unknown[];
    };
    assert.equal(status.source.kind, "nocloud");
    assert.equal(status.instance, "i-1");
    assert.deepEqual(status.failures, []);
  });

  test("tells no secret in the journal", { timeout }, async () => {
    const journal = await machine.sh("journalctl -b -o cat -u keelson-provision.service");
    assert.match(journal, /set up: user core, with a password/);
    assert.doesNotMatch(journal, /saltsalt|AAAAC3/);
  });

  test("again changes nothing", { timeout }, async () => {
    await machine.sh("echo edited >/run/keelson/etc/motd; systemctl restart keelson-provision.service");
    assert.equal((await machine.sh("cat /etc/motd")).trim(), "edited");
    assert.match(
      await machine.sh("journalctl -b -o cat -u keelson-provision.service"),
      /the configuration is the one that was applied/,
    );
  });

  test(
    "with another configuration changes only what differs, and takes back what is gone",
    { timeout },
    async () => {
      await machine.sh("systemctl --no-block poweroff");
      await machine.untilOff({ timeoutMs: 120_000 });
      await write({ motd: "two", withIssue: false });
      await machine.start();
      await machine.untilStarted();
      const journal = await machine.sh("journalctl -b -o cat -u keelson-provision.service");
      const steps = [...journal.matchAll(/"message":"((?:set up|changed|removed|not applied)[^"]*)"/g)].map(
        ([, step]) => step,
      );
      assert.deepEqual(steps, [
        "removed: file /etc/issue.net, 4 bytes, 0644",
        "changed: file /etc/motd, 4 bytes, 0640",
      ]);
      assert.equal((await machine.sh("cat /etc/motd")).trim(), "two");
      assert.doesNotMatch(await machine.sh("cat /etc/issue.net || true"), /mine/);
      // Started once by each boot, and its user has the same number.
      assert.equal((await machine.sh("cat /var/lib/hello.log; id -u core")).trim(), "started\nstarted\n1000");
    },
  );
});

describe("a credential", { skip: whyNoMachines() }, () => {
  test("makes a machine a cluster of its own", { timeout }, async () => {
    const config = `#cloud-config
hostname: solo
write_files:
  - {path: /var/lib/address, content: $private_ipv4}
keelson:
  cluster: prod
  roles: [store, agent, leader, api]
  metadata: {zone: a}
`;
    await using machine = await TestMachine.boot({
      image: (await testImage()).disk,
      credentials: { "keelson.cloud-config": config },
    });
    await machine.untilStarted();
    await machine.sh(
      "for i in $(seq 100); do systemctl is-active -q keeld.service && test -S /run/keelson/api.sock && exit; sleep 1; done; exit 1",
      { timeoutMs: 120_000 },
    );
    const machines = await machine.sh(
      "for i in $(seq 60); do keel list-machines --endpoint unix:///run/keelson/api.sock | grep solo && exit; sleep 1; done; exit 1",
      { timeoutMs: 120_000 },
    );
    assert.match(machines, /solo/);
    assert.match(machines, /zone=a/);
    assert.match(await machine.sh("cat /var/lib/address"), /^10\.\d+\.\d+\.\d+$/);
    assert.equal((await machine.sh("stat -c %a /etc/credstore/keelson.config")).trim(), "600");
  });
});
