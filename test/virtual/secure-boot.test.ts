// Secure Boot from beginning to end: firmware without keys takes those that the signed image offers, then starts
// nothing else. Signed versions come and go by updates; what is not signed is refused by the updater before it is
// written, and by the firmware when it is there all the same.
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeSecureBootKeys } from "../../packages/keelson/src/cli/commands/os/release/secure-boot-keys.ts";
import type { BuiltImage } from "../../packages/keelson/src/image/build-image.ts";
import type { SecureBoot } from "../../packages/keelson/src/image/unified-kernel.ts";
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
  let server: ReleaseServer;

  before(
    async () => {
      folder = await mkdtemp(join(tmpdir(), "keelson-secure-boot-"));
      keys = await testKeys();
      image = await testImage("0.1.0", keys.secureBoot);
      await writeTestRelease(await testImage("0.2.0", keys.secureBoot), join(folder, "signed"));
      await writeTestRelease(await testImage("0.2.0"), join(folder, "unsigned"));
      server = await serveReleases(folder);
      machine = await TestMachine.boot({
        image: image.disk,
        diskBytes: 5 * 2 ** 30,
        firmware,
        outward: true,
      });
    },
    { timeout },
  );
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
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
});
