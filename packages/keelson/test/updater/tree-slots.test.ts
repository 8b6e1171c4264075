// Slots of machines made of folders, and what starts such a machine.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { entryFolder, treeDisk } from "../../src/model/os-image.ts";
import { DiskSlots } from "../../src/updater/disk-slots/disk-slots.ts";
import { simulatedRelease } from "../../src/updater/simulated-disk/simulated-machine.ts";
import { startTree } from "../../src/updater/tree-slots/firmware.ts";
import type { Unpack } from "../../src/updater/tree-slots/firmware.ts";
import { TreeDisk } from "../../src/updater/tree-slots/tree-disk.ts";
import { install, slotsSuite } from "./slots-suite.ts";

const bytes = 200_000;
const running = simulatedRelease("2.0.0", bytes);
const newer = simulatedRelease("2.10.0", bytes + 4096);
const older = simulatedRelease("1.9.0", bytes - 8192);

/** A folder that the running release was started from once. */
class Tree implements AsyncDisposable {
  readonly folder: string;
  readonly slots: DiskSlots;
  readonly unpacked: string[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.slots = new DiskSlots(new TreeDisk(folder, 1 << 20));
  }

  static async make(): Promise<Tree> {
    const tree = new Tree(await mkdtemp(join(tmpdir(), "keelson-tree-")));
    await mkdir(tree.menu, { recursive: true });
    await writeFile(join(tree.folder, treeDisk.slots.a), running.image);
    await writeFile(join(tree.menu, "keelson_2.0.0.efi"), running.kernel);
    await tree.start();
    return tree;
  }

  get menu(): string {
    return join(this.folder, treeDisk.esp, entryFolder);
  }

  start() {
    const unpack: Unpack = async (image, folder) => {
      this.unpacked.push(image.slice(this.folder.length + 1));
      await mkdir(folder);
    };
    return startTree(this.folder, unpack);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

slotsSuite("folders", async () => {
  const tree = await Tree.make();
  return {
    slots: tree.slots,
    sharesRoom: true,
    running,
    newer,
    older,
    [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose](),
  };
});

describe("starts of a machine made of folders", () => {
  test("count the tries of a new version, and fall back when they are used up", async () => {
    await using tree = await Tree.make();
    await install(tree.slots, newer);
    const versions: string[] = [];
    for (let start = 0; start < 5; start++) {
      const { version, entry } = await tree.start();
      versions.push(`${version} ${entry}`);
    }
    assert.deepEqual(versions, [
      "2.10.0 keelson_2.10.0+2-1.efi",
      "2.10.0 keelson_2.10.0+1-2.efi",
      "2.10.0 keelson_2.10.0+0-3.efi",
      "2.0.0 keelson_2.0.0.efi",
      "2.0.0 keelson_2.0.0.efi",
    ]);
    assert.equal((await tree.slots.running()).version, "2.0.0");
    assert.deepEqual(tree.unpacked, [treeDisk.slots.a, treeDisk.slots.b]);
  });

  test("stay with a version that was blessed, and go back when a person wants", async () => {
    await using tree = await Tree.make();
    await install(tree.slots, newer);
    assert.equal((await tree.start()).slot, "b");
    await tree.slots.bless("2.10.0");
    assert.equal((await tree.start()).entry, "keelson_2.10.0.efi");
    await tree.slots.condemn("2.10.0");
    assert.equal((await tree.start()).version, "2.0.0");
    // The slot is written anew, so it is unpacked anew.
    await install(tree.slots, older);
    assert.deepEqual(await tree.start().then(({ version, slot }) => [version, slot]), ["1.9.0", "b"]);
    assert.equal(tree.unpacked.length, 3);
  });

  test("pass over a version whose slot is damaged, and over files that are no kernels", async () => {
    await using tree = await Tree.make();
    await install(tree.slots, newer);
    {
      await using file = await open(join(tree.folder, treeDisk.slots.b), "r+");
      await file.write(Buffer.alloc(4096), 0, 4096, 0);
    }
    await writeFile(join(tree.menu, "keelson_9.0.0+3.efi"), "no kernel");
    assert.equal((await tree.start()).version, "2.0.0");
    assert.ok((await readdir(tree.menu)).includes("keelson_2.10.0+0-3.efi"));
  });

  test("end where nothing can start", async () => {
    await using tree = await Tree.make();
    await rm(join(tree.folder, treeDisk.slots.a));
    await assert.rejects(tree.start(), { code: "KEEL-802" });
    await rm(join(tree.menu, "keelson_2.0.0.efi"));
    await assert.rejects(tree.start(), { code: "KEEL-802" });
  });
});
