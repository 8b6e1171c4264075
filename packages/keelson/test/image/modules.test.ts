import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { earlyModules, keptModules, moduleList, parseModulesDep } from "../../src/image/modules.ts";

const graph = parseModulesDep(
  [
    "kernel/drivers/block/virtio_blk.ko.xz:",
    "kernel/drivers/md/dm-verity.ko.xz: kernel/drivers/md/dm-bufio.ko.xz kernel/drivers/md/dm-mod.ko.xz",
    "kernel/drivers/md/dm-bufio.ko.xz: kernel/drivers/md/dm-mod.ko.xz",
    "kernel/drivers/md/dm-mod.ko.xz:",
    "kernel/sound/snd.ko.xz:",
    "",
  ].join("\n"),
);

suite("kernel modules of an image", () => {
  test("a pattern keeps a module and what it needs, and nothing else", () => {
    assert.deepEqual(keptModules(graph, ["drivers/md/{dm-verity,dm-none}"]), [
      "kernel/drivers/md/dm-bufio.ko.xz",
      "kernel/drivers/md/dm-mod.ko.xz",
      "kernel/drivers/md/dm-verity.ko.xz",
    ]);
  });

  test("modules that the first process loads name what they need, the deepest first", () => {
    assert.deepEqual(earlyModules(graph, ["dm_verity", "built_in"]), [
      {
        path: "kernel/drivers/md/dm-verity.ko.xz",
        needs: ["kernel/drivers/md/dm-mod.ko.xz", "kernel/drivers/md/dm-bufio.ko.xz"],
      },
    ]);
  });

  test("the list says always, or which device asks", () => {
    const aliases =
      "# Aliases\nalias virtio:d00000002v* virtio_blk\nalias blk virtio_blk\nalias pci:v1 snd\n";
    assert.equal(
      moduleList(earlyModules(graph, ["dm-verity", "virtio-blk"]), ["dm-verity"], aliases),
      "- dm-mod.ko dm-bufio.ko dm-verity.ko\nvirtio:d00000002v* virtio_blk.ko\n",
    );
  });
});
