// The real image in every form: opened by the tool that reads it, and started where a machine can. Last, the way of
// a machine without a system: a medium that installs itself, and the disk that starts afterwards.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { exportImage } from "../../packages/keelson/src/image/export/export-image.ts";
import type { ExportResult } from "../../packages/keelson/src/image/export/export-image.ts";
import type { ExportFormat } from "../../packages/keelson/src/image/export/formats.ts";
import { readFooter } from "../../packages/keelson/src/image/export/vhd.ts";
import { runCommand } from "../../packages/keelson/src/local/command.ts";
import { silentProgress } from "../../packages/keelson/src/local/progress.ts";
import { runTool } from "../../packages/keelson/src/local/tree/tools-tree.ts";
import { whyNoMachines } from "../support/machines.ts";
import { testImage } from "../os/support/image.ts";
import { emptyDisk, TestMachine, testTools } from "../os/support/machine.ts";

const reason = whyNoMachines();
const repository = resolve(import.meta.dirname, "../..");
const userData = "#cloud-config\nhostname: from-the-medium\n";

describe("exports", { skip: reason }, () => {
  let work = "";
  let tools = "";
  let build = "";
  let raw = "";
  before(
    async () => {
      work = await mkdtemp(join(tmpdir(), "keelson-exports-"));
      tools = await testTools();
      build = (await testImage()).folder;
      // Of whole MiB, and so not quite the build's own disk.
      raw = (await make("raw", { output: join(work, "disk.raw") })).path;
    },
    { timeout: 590_000 },
  );
  after(() => rm(work, { recursive: true, force: true }));

  const make = (
    format: ExportFormat,
    options: Partial<Parameters<typeof exportImage>[0]> = {},
  ): Promise<ExportResult> =>
    exportImage({ repository, format, input: build, output: work, progress: silentProgress, ...options });
  const tool = (...argv: string[]): Promise<string> => runTool(tools, argv, { binds: [work, build] });
  const isTheDisk = (format: string, path: string): Promise<string> =>
    tool("qemu-img", "compare", "-f", "raw", "-F", format, raw, path);

  test("qcow2: qemu-img finds the same disk, and no fault; twice the same bytes", async () => {
    const first = await make("qcow2");
    await tool("qemu-img", "check", "-f", "qcow2", first.path);
    await isTheDisk("qcow2", first.path);
    await assert.rejects(make("qcow2"), { code: "KEEL-352" });
    const again = await make("qcow2", { output: join(work, "again.qcow2") });
    assert.deepEqual(Object.values(again.sha256), Object.values(first.sha256));
    await rm(again.path);
  });

  test("OpenStack: compressed, and the same disk", async () => {
    const { path, bytes } = await make("openstack");
    await isTheDisk("qcow2", path);
    assert.ok(bytes < 250e6, `${bytes} bytes`);
  });

  test("VHD: a footer with the right sum behind whole MiB, and the same disk", async () => {
    const { path, diskBytes } = await make("vhd");
    const file = await open(path, "r");
    const footer = Buffer.alloc(512);
    await file.read(footer, 0, 512, diskBytes);
    await file.close();
    assert.equal((await stat(path)).size, diskBytes + 512);
    assert.equal(diskBytes % 2 ** 20, 0);
    const read = readFooter(footer);
    assert.deepEqual({ kind: read?.kind, bytes: read?.bytes }, { kind: "fixed", bytes: diskBytes });
    await isTheDisk("vpc", path);
    await rm(path);
  });

  test("dynamic VHD: both footers are one, the same disk, twice the same bytes", async () => {
    const first = await make("vhd-dynamic");
    const bytes = await readFile(first.path);
    assert.ok(bytes.subarray(0, 512).equals(bytes.subarray(-512)));
    assert.equal(readFooter(bytes.subarray(0, 512))?.kind, "dynamic");
    await isTheDisk("vpc", first.path);
    const again = await make("vhd-dynamic", { force: true });
    assert.deepEqual(again.sha256, first.sha256);
    await rm(first.path);
  });

  test("VHDX: no fault, and the same disk", async () => {
    const { path } = await make("vhdx");
    await tool("qemu-img", "check", "-f", "vhdx", path);
    await isTheDisk("vhdx", path);
    await rm(path);
  });

  test("OVA: descriptor first, manifest of all files, a disk that is the same", async () => {
    const { path } = await make("ova");
    const names = (await runCommand(["tar", "--list", "--file", path])).trim().split("\n");
    assert.deepEqual(
      names.map((name) => name.replace(/^.*(\.\w+)$/, "$1")),
      [".ovf", ".mf", ".vmdk"],
    );
    const folder = join(work, "ova");
    await runCommand(["mkdir", folder]);
    await runCommand(["tar", "--extract", "--file", path, "--directory", folder]);
    const manifest = await readFile(join(folder, names[1] ?? ""), "utf8");
    for (const [, name = "", sum = ""] of manifest.matchAll(/^SHA256\((.*)\)= ([0-9a-f]{64})$/gm))
      assert.equal(await sha256(join(folder, name)), sum, name);
    await tool(
      "python3",
      "-c",
      "import sys, xml.dom.minidom as m; m.parse(sys.argv[1])",
      join(folder, names[0] ?? ""),
    );
    await isTheDisk("vmdk", join(folder, names[2] ?? ""));
    const { size } = await stat(join(folder, names[2] ?? ""));
    assert.match(await readFile(join(folder, names[0] ?? ""), "utf8"), new RegExp(`ovf:size="${size}"`));
    await rm(folder, { recursive: true });
    await rm(path);
  });

  test("Google: disk.raw of whole GiB, as GNU tar reads it; its partition table fits the new size", async () => {
    const { path, diskBytes } = await make("gce");
    assert.equal(diskBytes % 2 ** 30, 0);
    const folder = join(work, "gce");
    await runCommand(["mkdir", folder]);
    await runCommand(["tar", "--extract", "--gzip", "--sparse", "--file", path, "--directory", folder]);
    assert.deepEqual(await readdir(folder), ["disk.raw"]);
    assert.equal((await stat(join(folder, "disk.raw"))).size, diskBytes);
    const table = await tool("sfdisk", "--json", join(folder, "disk.raw"));
    const { partitiontable } = JSON.parse(table) as {
      readonly partitiontable: {
        readonly partitions: readonly { readonly name: string }[];
        readonly lastlba: number;
      };
    };
    assert.equal(partitiontable.partitions.length, 4);
    assert.equal(partitiontable.lastlba, diskBytes / 512 - 34);
    await rm(folder, { recursive: true });
    await rm(path);
  });

  test("raw with a configuration: it is on the state partition, for root only, and the file system is whole", async () => {
    const { path } = await make("raw", { cloudConfig: Buffer.from(userData) });
    const table = JSON.parse(await tool("sfdisk", "--json", path)) as {
      readonly partitiontable: {
        readonly partitions: readonly { readonly name: string; readonly start: number }[];
      };
    };
    const start = table.partitiontable.partitions.find(({ name }) => name === "keelson-state")?.start ?? 0;
    const image = `${path}?offset=${start * 512}`;
    const seed = "lib/keelson/provision/seed/user-data";
    assert.equal(await tool("debugfs", "-R", `cat ${seed}`, image), userData);
    assert.match(await tool("debugfs", "-R", `stat ${seed}`, image), /Mode: {2}0600/);
    await tool("e2fsck", "-f", "-n", image);
    await rm(path);
  });

  test("PXE: kernel, initrd, one file for HTTP boot, and a script", async () => {
    const { path } = await make("pxe");
    assert.deepEqual(await readdir(path), ["cmdline", "initrd", "keelson.efi", "keelson.ipxe", "vmlinuz"]);
  });

  test("an ISO installs itself to the only empty disk, which then starts with its configuration", async (t) => {
    const iso = await make("iso", { cloudConfig: Buffer.from(userData), installTo: "auto" });
    const target = await emptyDisk(join(work, "target.raw"), 5 * 2 ** 30);
    await t.test("installs", { timeout: 590_000 }, async () => {
      await using machine = await TestMachine.boot({
        disks: [{ file: iso.path, format: "raw", readOnly: true, optical: true }, target],
        memoryBytes: 2 * 2 ** 30,
        configured: false,
      });
      await machine.untilConsole(/Keelson is installed/, { timeoutMs: 100_000 });
      await machine.untilOff({ timeoutMs: 20_000 });
    });
    await t.test("starts from the disk", { timeout: 590_000 }, async () => {
      await using machine = await TestMachine.boot({ disks: [target] });
      await machine.untilSsh();
      assert.match(await machine.sh("findmnt --noheadings --output SOURCE,FSTYPE /"), /\/dev\/dm-0\s+erofs/);
      assert.equal(await machine.sh("cat /var/lib/keelson/provision/seed/user-data"), userData);
    });
    await t.test("is not overwritten by a system from the network", { timeout: 590_000 }, async () => {
      const folder = join(work, (await readdir(work)).find((name) => name.endsWith(".pxe")) ?? "");
      await using machine = await TestMachine.boot({
        firmware: "bios",
        kernel: {
          image: join(folder, "vmlinuz"),
          initrd: join(folder, "initrd"),
          commandLine: (await readFile(join(folder, "cmdline"), "utf8")).trim(),
        },
        disks: [target],
        memoryBytes: 2 * 2 ** 30,
      });
      await machine.untilSsh();
      const { code, stderr } = await machine.ssh("keel os install /dev/vda --yes");
      assert.equal(code, 4);
      assert.match(stderr, /KEEL-355/);
    });
  });
});

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
