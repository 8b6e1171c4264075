// What a virtual machine is started with: its credentials as files, and QEMU's command line.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { machinePaths } from "../../../src/local/launch.ts";
import { localMachineCommand } from "../../../src/local/qemu/machine-command.ts";
import { handOver } from "../../../src/local/qemu/machine-credentials.ts";
import { ensureDisk, imageNote } from "../../../src/local/qemu/machine-disk.ts";

const record = { name: "m1", address: "10.205.7.11", machineId: "0123456789abcdef0123456789abcdef" };
const base = {
  image: "/images/disk.raw",
  accelerator: "tcg",
  memoryBytes: 2 ** 30,
  processors: 1,
  diskBytes: 2 ** 34,
} as const;

describe("a virtual machine's start", () => {
  let folder = "";
  const paths = () => machinePaths(join(folder, "machines/m1"));
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-start-"));
    await mkdir(paths().credentials, { recursive: true });
    await writeFile(join(folder, "hosts"), "10.205.7.11 m1\n");
    await writeFile(join(folder, "resolv.conf"), "nameserver 10.205.7.1\n");
    await writeFile(join(paths().credentials, "keelson.config"), "secret");
    await writeFile(join(paths().credentials, "tmpfiles.extra"), "f /given\n");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("hands over what was given and who it is, for root only, and nothing of the start before", async () => {
    await mkdir(join(paths().folder, "handed"));
    await writeFile(join(paths().folder, "handed/old"), "");
    const files = await handOver(record, paths(), { cluster: "c", folder });
    const names = new Set(files.map(({ name }) => name));
    assert.ok(!names.has("old") && names.has("system.machine_id"));
    const pathOf = (name: string): string => files.find((file) => file.name === name)?.path ?? "";
    assert.equal(await readFile(pathOf("keelson.config"), "utf8"), "secret");
    assert.equal((await stat(pathOf("keelson.config"))).mode & 0o777, 0o600);
    assert.match(await readFile(pathOf("tmpfiles.extra"), "utf8"), /^f \/given\nL\+ \/etc\/hosts/);
  });

  test("takes the record's size before the cluster's, and names secrets by file", () => {
    const parts = { base, paths: paths(), image: base.image, cluster: "c", port: "k1", slowness: 5 };
    const credentials = [{ name: "keelson.config", path: "/handed/keelson.config" }];
    const more = { ...parts, credentials, control: "/run/c/m1.control" };
    const line = (size: object): string => localMachineCommand({ ...record, ...size }, more).join(" ");
    assert.match(line({}), /size=1024M .*ifname=k1,.*file=\/handed\/keelson\.config/);
    assert.match(line({}), /hostfwd=tcp:127\.205\.7\.11:7422-/);
    assert.match(line({}), /systemd\.default_timeout_start_sec=450s/);
    assert.match(line({ memoryBytes: 2 ** 29, processors: 3 }), /-smp 3 .*size=512M/);
  });

  test("lies over the image that its disk was made with, whatever the cluster's is now", async () => {
    await writeFile(join(paths().folder, "disk.qcow2"), "");
    await writeFile(join(paths().folder, imageNote), "/images/before.raw");
    assert.equal(await ensureDisk(base, paths()), "/images/before.raw");
  });
});
