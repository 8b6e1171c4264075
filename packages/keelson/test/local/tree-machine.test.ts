// What an installation of a machine made of folders writes.
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { slotBytes } from "../../src/model/os-image.ts";
import { hasTree, installTree, releaseOf } from "../../src/local/tree-machine.ts";

const name = "keelson_1.0.0_vm_amd64";

describe("a machine made of folders", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-tree-machine-"));
    await writeFile(join(folder, `${name}.root.zst`), zstdCompressSync(Buffer.alloc(10_000, "root")));
    await writeFile(join(folder, `${name}.efi`), "kernel");
  });
  after(() => rm(folder, { recursive: true }));

  test("has the release in its first slot, as a good one", async () => {
    const machine = join(folder, "m1");
    const release = { manifest: join(folder, `${name}.manifest.json`), tools: "/tools" };
    assert.equal(hasTree(machine), false);
    await installTree(machine, release, ["/layer", "/debian"]);
    assert.equal(hasTree(machine), true);
    const slot = join(machine, "tree/root-a.img");
    assert.equal((await stat(slot)).size, slotBytes);
    assert.deepEqual(await readdir(join(machine, "tree/esp/EFI/Linux")), ["keelson_1.0.0.efi"]);
    const settings = JSON.parse(await readFile(join(machine, "tree.json"), "utf8"));
    assert.deepEqual(settings.base, ["/debian"]);
    assert.ok(settings.unpack.includes("fsck.erofs"));
    // A second time nothing is written.
    await rm(slot);
    await installTree(machine, release, []);
    assert.equal(await stat(slot).catch(() => "gone"), "gone");
  });

  test("is not made from what is no release, or is not there", async () => {
    for (const bad of ["keelson_1.0_vm_amd64.manifest.json", "keelson_1.0.0_cow_amd64.manifest.json", "a"])
      assert.throws(() => releaseOf(bad), { code: "KEEL-104" });
    const release = { manifest: join(folder, "keelson_9.0.0_vm_amd64.manifest.json"), tools: "/tools" };
    await assert.rejects(installTree(join(folder, "m2"), release, []), { code: "KEEL-302" });
    assert.equal(hasTree(join(folder, "m2")), false);
  });
});
