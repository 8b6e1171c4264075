// The real image in every form, opened by the tool that reads it, and made twice.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { formatFacts } from "../../packages/keelson/src/image/export/formats.ts";
import { readFooter } from "../../packages/keelson/src/image/export/vhd.ts";
import { runCommand } from "../../packages/keelson/src/local/command.ts";
import { whyNoMachines } from "../support/machines.ts";
import { Exports } from "../os/support/exports.ts";

const userData = "#cloud-config\nhostname: from-the-disk\n";
const timeout = 590_000;

describe("exports", { skip: whyNoMachines() }, () => {
  let exports: Exports;
  let raw = "";
  before(
    async () => {
      exports = await Exports.open();
      // Of whole MiB, and so not quite the build's own disk.
      raw = (await exports.make("raw", { output: join(exports.folder, "disk.raw") })).path;
    },
    { timeout },
  );
  after(() => exports[Symbol.asyncDispose]());

  const isTheDisk = (format: string, path: string): Promise<string> =>
    exports.tool("qemu-img", "compare", "-f", "raw", "-F", format, raw, path);

  test(
    "raw: the partitions of a system, nothing behind their end; made alike twice",
    { timeout },
    async () => {
      const table = JSON.parse(await exports.tool("sfdisk", "--json", raw)) as Table;
      const names = table.partitiontable.partitions.map(({ name }) => name);
      assert.deepEqual(names, ["keelson-esp", "keelson-root-a", "keelson-root-b", "keelson-state"]);
      const made = await exports.make("raw");
      assert.equal(made.bytes, (await stat(raw)).size);
      await exports.isMadeAlike(made);
      await rm(made.path);
    },
  );

  test("qcow2: no fault, and the same disk; made alike twice", { timeout }, async () => {
    const made = await exports.make("qcow2");
    await exports.tool("qemu-img", "check", "-f", "qcow2", made.path);
    await isTheDisk("qcow2", made.path);
    await assert.rejects(exports.make("qcow2"), { code: "KEEL-352" });
    await exports.isMadeAlike(made);
    await rm(made.path);
  });

  test("OpenStack: compressed, no fault, and the same disk; made alike twice", { timeout }, async () => {
    const made = await exports.make("openstack");
    await exports.tool("qemu-img", "check", "-f", "qcow2", made.path);
    await isTheDisk("qcow2", made.path);
    assert.ok(made.bytes < 250e6, `${made.bytes} bytes`);
    await exports.isMadeAlike(made);
    await rm(made.path);
  });

  test(
    "VHD: a footer with the right sum behind whole MiB, and the same disk; made alike twice",
    { timeout },
    async () => {
      const made = await exports.make("vhd");
      const { path, diskBytes } = made;
      const file = await open(path, "r");
      const footer = Buffer.alloc(512);
      await file.read(footer, 0, 512, diskBytes);
      await file.close();
      assert.equal((await stat(path)).size, diskBytes + 512);
      assert.equal(diskBytes % 2 ** 20, 0);
      const read = readFooter(footer);
      assert.deepEqual({ kind: read?.kind, bytes: read?.bytes }, { kind: "fixed", bytes: diskBytes });
      await isTheDisk("vpc", path);
      await exports.isMadeAlike(made);
      await rm(path);
    },
  );

  test("dynamic VHD: both footers are one, and the same disk; made alike twice", { timeout }, async () => {
    const made = await exports.make("vhd-dynamic");
    const bytes = await readFile(made.path);
    assert.ok(bytes.subarray(0, 512).equals(bytes.subarray(-512)));
    assert.equal(readFooter(bytes.subarray(0, 512))?.kind, "dynamic");
    await isTheDisk("vpc", made.path);
    await exports.isMadeAlike(made);
    await rm(made.path);
  });

  test("VHDX: no fault, and the same disk; alone never alike, and said to be so", { timeout }, async () => {
    const made = await exports.make("vhdx");
    await exports.tool("qemu-img", "check", "-f", "vhdx", made.path);
    await isTheDisk("vhdx", made.path);
    await assert.rejects(exports.isMadeAlike(made), { code: "ERR_ASSERTION" });
    const unlike = Object.entries(formatFacts).filter(([, { repeatable }]) => !repeatable);
    assert.deepEqual(
      unlike.map(([format]) => format),
      ["vhdx"],
    );
    await rm(made.path);
  });

  test("VMDK: stream-optimised, no fault, and the same disk; made alike twice", { timeout }, async () => {
    const made = await exports.make("vmdk");
    await exports.tool("qemu-img", "check", "-f", "vmdk", made.path);
    const info = JSON.parse(await exports.tool("qemu-img", "info", "--output=json", made.path)) as {
      readonly "format-specific": { readonly data: { readonly "create-type": string } };
    };
    assert.equal(info["format-specific"].data["create-type"], "streamOptimized");
    await isTheDisk("vmdk", made.path);
    await exports.isMadeAlike(made);
    await rm(made.path);
  });

  test(
    "OVA: descriptor first, manifest of all files, a disk that is the same; made alike twice",
    { timeout },
    async () => {
      const made = await exports.make("ova");
      const names = (await runCommand(["tar", "--list", "--file", made.path])).trim().split("\n");
      assert.deepEqual(
        names.map((name) => name.replace(/^.*(\.\w+)$/, "$1")),
        [".ovf", ".mf", ".vmdk"],
      );
      const folder = join(exports.folder, "ova");
      await runCommand(["mkdir", folder]);
      await runCommand(["tar", "--extract", "--file", made.path, "--directory", folder]);
      const [descriptor = "", manifest = "", disk = ""] = names.map((name) => join(folder, name));
      const sums = [...(await readFile(manifest, "utf8")).matchAll(/^SHA256\((.*)\)= ([0-9a-f]{64})$/gm)];
      assert.deepEqual(
        sums.map(([, name]) => name),
        [names[0], names[2]],
      );
      for (const [, name = "", sum = ""] of sums) assert.equal(await sha256(join(folder, name)), sum, name);
      await exports.tool(
        "python3",
        "-c",
        "import sys, xml.dom.minidom as m; m.parse(sys.argv[1])",
        descriptor,
      );
      await isTheDisk("vmdk", disk);
      const { size } = await stat(disk);
      assert.match(await readFile(descriptor, "utf8"), new RegExp(`ovf:size="${size}"`));
      await rm(folder, { recursive: true });
      await exports.isMadeAlike(made);
      await rm(made.path);
    },
  );

  test(
    "Google: disk.raw of whole GiB, as GNU tar reads it, with a table of that size; made alike twice",
    { timeout },
    async () => {
      const made = await exports.make("gce");
      const { path, diskBytes } = made;
      assert.equal(diskBytes % 2 ** 30, 0);
      const folder = join(exports.folder, "gce");
      await runCommand(["mkdir", folder]);
      await runCommand(["tar", "--extract", "--gzip", "--sparse", "--file", path, "--directory", folder]);
      assert.deepEqual(await readdir(folder), ["disk.raw"]);
      assert.equal((await stat(join(folder, "disk.raw"))).size, diskBytes);
      const table = JSON.parse(await exports.tool("sfdisk", "--json", join(folder, "disk.raw"))) as Table;
      assert.equal(table.partitiontable.partitions.length, 4);
      assert.equal(table.partitiontable.lastlba, diskBytes / 512 - 34);
      await exports.tool("sfdisk", "--verify", join(folder, "disk.raw"));
      await rm(folder, { recursive: true });
      await exports.isMadeAlike(made);
      await rm(path);
    },
  );

  test(
    "with a configuration: it is on the state partition, for root only, and the file system is whole; made alike twice",
    { timeout },
    async () => {
      const cloudConfig = Buffer.from(userData);
      const made = await exports.make("raw", { cloudConfig });
      const table = JSON.parse(await exports.tool("sfdisk", "--json", made.path)) as Table;
      const start = table.partitiontable.partitions.find(({ name }) => name === "keelson-state")?.start ?? 0;
      const image = `${made.path}?offset=${start * 512}`;
      const seed = "lib/keelson/provision/seed/user-data";
      assert.equal(await exports.tool("debugfs", "-R", `cat ${seed}`, image), userData);
      assert.match(await exports.tool("debugfs", "-R", `stat ${seed}`, image), /Mode: {2}0600/);
      await exports.tool("e2fsck", "-f", "-n", image);
      await exports.isMadeAlike(made, { cloudConfig });
      await rm(made.path);
    },
  );

  test(
    "ISO: a boot record for UEFI in a drive, a partition for it on a stick; made alike twice",
    { timeout },
    async () => {
      const made = await exports.make("iso");
      const report = await exports.tool(
        "xorriso",
        "-indev",
        made.path,
        "-report_el_torito",
        "plain",
        "-report_system_area",
        "plain",
      );
      assert.match(report, /El Torito boot img.*UEFI/);
      assert.match(report, /GPT type GUID\s*:\s*2\s*28732ac11ff8d211ba4b00a0c93ec93b/);
      await exports.isMadeAlike(made);
      await rm(made.path);
    },
  );

  test(
    "PXE: kernel, initrd, one file for HTTP boot, and a script; made alike twice",
    { timeout },
    async () => {
      const made = await exports.make("pxe");
      assert.deepEqual(await readdir(made.path), [
        "cmdline",
        "initrd",
        "keelson.efi",
        "keelson.ipxe",
        "vmlinuz",
      ]);
      await exports.isMadeAlike(made);
      await rm(made.path, { recursive: true });
    },
  );
});

interface Table {
  readonly partitiontable: {
    readonly partitions: readonly { readonly name: string; readonly start: number }[];
    readonly lastlba: number;
  };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
