// Where the real image finds its first-boot configuration, beside a NoCloud disk and a credential in a file: one boot
// for each place.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runTool } from "../../packages/keelson/src/local/tree/tools-tree.ts";
import { whyNoMachines } from "../support/machines.ts";
import { Exports } from "../os/support/exports.ts";
import { testImage } from "../os/support/image.ts";
import { emptyDisk, TestMachine, testTools } from "../os/support/machine.ts";
import type { BootOptions } from "../os/support/machine.ts";

const timeout = 590_000;
const config = (name: string): string => `#cloud-config
hostname: ${name}
write_files: [{path: /etc/told, content: ${name}}]
`;

describe("a first-boot configuration", { skip: whyNoMachines() }, () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-places-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Boots, and looks whether the configuration of this name was applied from a source of this kind. */
  async function applies(name: string, kind: string, options: BootOptions): Promise<void> {
    await using machine = await TestMachine.boot(options);
    assert.equal(await machine.untilStarted(), "running", await machine.sh("systemctl --failed --no-legend"));
    const status = JSON.parse(await machine.sh("keel os provision status -o json")) as {
      readonly source?: { readonly kind: string };
      readonly failures: readonly unknown[];
    };
    assert.deepEqual([status.source?.kind, status.failures], [kind, []]);
    assert.equal(await machine.sh("hostname; cat /etc/told"), `${name}\n${name}`);
  }

  test("on a config drive, an ISO file system", { timeout }, async () => {
    const tree = join(folder, "drive/openstack/latest");
    const drive = join(folder, "drive.iso");
    await runTool(await testTools(), ["mkdir", "-p", tree], { binds: [folder] });
    await writeFile(join(tree, "user_data"), config("driven"));
    await writeFile(join(tree, "meta_data.json"), JSON.stringify({ uuid: "i-2", hostname: "unheard" }));
    const argv = ["xorriso", "-as", "mkisofs", "-quiet", "-J", "-r", "-V", "config-2", "-o", drive];
    await runTool(await testTools(), [...argv, join(folder, "drive")], { binds: [folder] });
    const disks = [{ file: drive, format: "raw", readOnly: true } as const];
    await applies("driven", "config-drive", { image: (await testImage()).disk, disks });
  });

  test("in QEMU's firmware configuration device", { timeout }, async () => {
    const firmwareFiles = { "opt/org.keelson/cloud-config": config("carried") };
    await applies("carried", "fw-cfg", { image: (await testImage()).disk, firmwareFiles });
  });

  test("in a string of the firmware's tables", { timeout }, async () => {
    const encoded = Buffer.from(config("tabled")).toString("base64");
    const value = `io.systemd.credential.binary:keelson.cloud-config=${encoded}`;
    const image = (await testImage()).disk;
    await applies("tabled", "credential", { image, arguments: ["-smbios", `type=11,value=${value}`] });
  });

  test("that came with an export", { timeout }, async () => {
    await using exports = await Exports.open();
    const { path } = await exports.make("qcow2", { cloudConfig: Buffer.from(config("brought")) });
    await applies("brought", "seed", { image: path, imageFormat: "qcow2" });
  });

  test("on an empty disk is none, and no failure", { timeout }, async () => {
    const disks = [await emptyDisk(join(folder, "empty.img"), 1 << 20)];
    await using machine = await TestMachine.boot({ image: (await testImage()).disk, disks });
    assert.equal(await machine.untilStarted(), "running", await machine.sh("systemctl --failed --no-legend"));
    assert.match(await machine.sh("systemctl show -P ConditionResult keelson-provision.service"), /^no$/m);
  });
});
