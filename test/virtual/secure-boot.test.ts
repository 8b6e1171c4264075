// Secure Boot from beginning to end: firmware without keys takes those that the signed image offers, then starts
// nothing else. Signed versions come and go by updates; what is not signed is refused by the updater before it is
// written, and by the firmware when it is there all the same.
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeSecureBootKeys } from "../../packages/keelson/src/cli/commands/os/release/secure-boot-keys.ts";
import type { BuiltImage } from "../../packages/keelson/src/image/build-image.ts";
import { readBuildDisk } from "../../packages/keelson/src/image/disk/build-disk.ts";
import type { SecureBoot } from "../../packages/keelson/src/image/unified-kernel.ts";
import { runCommand } from "../../packages/keelson/src/local/command.ts";
import { ContentCache } from "../../packages/keelson/src/local/tree/content-cache.ts";
import { defaultCacheDirectory } from "../../packages/keelson/src/local/tree/machine-tree.ts";
import { runTool } from "../../packages/keelson/src/local/tree/tools-tree.ts";
import { enrolmentFile, keyVariables } from "../../packages/keelson/src/secure-boot/enrolment.ts";
import { TestMachine, testTools } from "../os/support/machine.ts";
import { serveReleases } from "../os/support/release-server.ts";
import type { ReleaseServer } from "../os/support/release-server.ts";
import { testImage, writeTestRelease } from "../os/support/releases.ts";
import { whyNoMachines } from "../support/machines.ts";

const timeout = 900_000;
const slow = { timeoutMs: 240_000 };
const firmware = {
  code: "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
  variables: "/usr/share/OVMF/OVMF_VARS_4M.fd",
  secure: true,
} as const;

/** Keys of this host's tests, made once: RSA keys cannot be made from a seed. */
async function testKeys(): Promise<{ readonly folder: string; readonly secureBoot: SecureBoot }> {
  const cache = new ContentCache(defaultCacheDirectory);
  const folder = await cache.entry("test-trust", "secure-boot-1", async (target) => {
    const now = Math.floor(Date.now() / 1000);
    await makeSecureBootKeys(target, { name: "Tests", now, days: 3650, passphrase: undefined });
  });
  const files = keyVariables.map(enrolmentFile);
  return {
    folder,
    secureBoot: {
      signer: {
        key: createPrivateKey(await readFile(join(folder, "db.key"))),
        certificate: new X509Certificate(await readFile(join(folder, "db.pem"))),
      },
      enrolment: new Map(
        await Promise.all(files.map(async (name) => [name, await readFile(join(folder, name))] as const)),
      ),
    },
  };
}

describe("Secure Boot", { skip: whyNoMachines() }, () => {
  let folder: string;
  let keys: Awaited<ReturnType<typeof testKeys>>;
  let image: BuiltImage;
  let machine: TestMachine;
  let signed: ReleaseServer;
  let unsigned: ReleaseServer;

  before(
    async () => {
      folder = await mkdtemp(join(tmpdir(), "keelson-secure-boot-"));
      keys = await testKeys();
      image = await testImage("0.1.0", keys.secureBoot);
      await writeTestRelease(await testImage("0.2.0", keys.secureBoot), join(folder, "signed"));
      await writeTestRelease(await testImage("0.2.0"), join(folder, "unsigned"));
      signed = await serveReleases(join(folder, "signed"));
      unsigned = await serveReleases(join(folder, "unsigned"));
      machine = await TestMachine.boot({
        image: image.disk,
        diskBytes: 5 * 2 ** 30,
        firmware,
        outward: true,
        arguments: [
          "-smbios",
          "type=11,value=io.systemd.stub.kernel-cmdline-extra=keelson.root=00000000-0000-0000-0000-000000000000",
        ],
      });
    },
    { timeout },
  );
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    await signed?.[Symbol.asyncDispose]();
    await unsigned?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const variable = async (name: string): Promise<number> =>
    Number((await machine.sh(`od -An -tu1 -j4 -N1 /sys/firmware/efi/efivars/${name}-*`, slow)).trim());

  test("a build's boot loader and kernel image verify with another's tool", async () => {
    const tools = await testTools();
    for (const path of ["loader.efi", "kernel.efi"]) {
      const argv = ["sbverify", "--cert", join(keys.folder, "db.pem"), join(image.folder, path)];
      assert.match(await runTool(tools, argv, { binds: [keys.folder, image.folder] }), /verification OK/);
    }
  });

  test(
    "empty firmware takes the image's keys, and starts it with the kernel locked down",
    { timeout },
    async () => {
      await machine.untilStarted(slow);
      assert.ok(machine.restarts >= 1, "the boot loader restarts when it has enrolled the keys");
      assert.equal(await variable("SecureBoot"), 1);
      assert.equal(await variable("SetupMode"), 0);
      assert.match(await machine.sh("cat /sys/kernel/security/lockdown", slow), /\[integrity\]/);
      assert.equal((await machine.sh("systemctl --failed --no-legend", slow)).trim(), "");
      assert.doesNotMatch(
        await machine.sh("journalctl -b -k --no-pager", slow),
        /unsigned module|module verification/,
      );
    },
  );

  const update = (from: ReleaseServer): ReturnType<TestMachine["ssh"]> =>
    machine.ssh(`keel os update --from ${from.url} --to 0.2.0 -o json`, { timeoutMs: 400_000 });
  const version = async (): Promise<string> =>
    (await machine.sh("sed -n s/^VERSION=//p /run/keelson/os", slow)).trim();

  test("a version that is not signed is refused before the other slot is touched", { timeout }, async () => {
    const head = "dd if=/dev/vda3 bs=1M count=8 iflag=direct status=none | sha256sum";
    const slot = await machine.sh(head, slow);
    const { code, stderr } = await update(unsigned);
    assert.notEqual(code, 0, stderr);
    const { error } = JSON.parse(stderr) as { readonly error: { readonly code: string; message: string } };
    assert.equal(error.code, "KEEL-343");
    assert.match(error.message, /not signed/);
    assert.equal(await machine.sh(head, slow), slot);
  });

  test("a signed version is taken, starts on trial and is blessed", { timeout }, async () => {
    const { code, stderr } = await update(signed);
    assert.equal(code, 0, stderr);
    const { restarts } = machine;
    await machine.sh("systemctl start --no-block reboot.target", slow);
    await machine.untilRestarts(restarts + 1, slow);
    await machine.untilStarted(slow);
    assert.equal(await version(), "0.2.0");
    assert.equal(await variable("SecureBoot"), 1);
    await machine.sh("for i in $(seq 200); do test -e /run/keelson/blessed && exit; sleep 2; done; exit 1", {
      timeoutMs: 400_000,
    });
  });

  test("words that the hypervisor adds do not say which root starts", { timeout }, async () => {
    assert.match(await machine.sh("cat /proc/cmdline", slow), /keelson\.root=0000/);
    assert.doesNotMatch(await machine.sh("cat /run/keelson/os", slow), /0000-0000/);
  });

  /** Starts a disk whose ESP was changed, on firmware that has the keys, until that refuses something. */
  async function refusedWith(change: (esp: string) => Promise<void>): Promise<string> {
    await machine.powerCut();
    const disk = join(folder, "changed.raw");
    await runCommand(["cp", "--sparse=always", image.disk, disk]);
    const { esp } = await readBuildDisk(disk);
    await change(`${disk}@@${esp.offset}`);
    const variables = join(folder, "variables.fd");
    await copyFile(join(machine.folder, "variables.fd"), variables);
    await using other = await TestMachine.boot({
      disks: [{ file: disk, format: "raw" }],
      firmware: { ...firmware, variables },
      binds: [folder],
    });
    await other.untilConsole(/Access denied|Security violation/i, slow);
    return other.consoleText();
  }
  const mtool = async (...argv: readonly string[]): Promise<string> =>
    runTool(await testTools(), argv, { binds: [folder, image.folder] });

  test(
    "a kernel image with one other bit is refused by the firmware, and has used up its try",
    { timeout },
    async () => {
      const kernel = await readFile(image.kernel);
      const at = kernel.length >> 1;
      kernel[at] = (kernel[at] ?? 0) ^ 1;
      await writeFile(join(folder, "changed.efi"), kernel);
      let place = "";
      const words = await refusedWith(async (esp) => {
        place = esp;
        await mtool("mcopy", "-i", esp, join(folder, "changed.efi"), "::/EFI/Linux/keelson_0.3.0+1.efi");
      });
      assert.match(words, /keelson_0\.3\.0/);
      assert.match(await mtool("mdir", "-b", "-i", place, "::/EFI/Linux/"), /keelson_0\.3\.0\+0-1\.efi/);
    },
  );

  test("a boot loader that is not signed is refused by the firmware", { timeout }, async () => {
    const plain = join(folder, "loader.efi");
    await copyFile(join(await testTools(), "usr/lib/systemd/boot/efi/systemd-bootx64.efi"), plain);
    await refusedWith(async (esp) => {
      await mtool("mcopy", "-o", "-i", esp, plain, "::/EFI/BOOT/BOOTX64.EFI");
    });
  });
});
