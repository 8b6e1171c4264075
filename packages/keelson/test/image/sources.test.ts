import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { suite, test } from "node:test";
import { readSources } from "../../src/image/sources.ts";
import { variants } from "../../src/model/os-image.ts";

const repository = resolve(import.meta.dirname, "../../../..");

void suite("what the variants are made of", () => {
  void test("every list that is of one variant is of one that there is", () => {
    const special = readdirSync(join(repository, "os/image")).filter((name) =>
      /^(packages|remove|modules|modules-devices|kernel|command-line|suite)-[a-z]+\.txt$/.test(name),
    );
    for (const name of special.filter((each) => !/^modules-(always|devices)\.txt$/.test(each)))
      assert.ok(
        variants.some((variant) => name.endsWith(`-${variant}.txt`)),
        name,
      );
  });

  void test("the smallest leaves out more and keeps less than the usual one", async () => {
    const [vm, minimal] = await Promise.all([
      readSources(repository, "vm"),
      readSources(repository, "minimal"),
    ]);
    assert.ok(vm.remove.every((pattern) => minimal.remove.includes(pattern)));
    assert.ok(minimal.remove.length > vm.remove.length);
    assert.ok(minimal.modules.every((pattern) => vm.modules.includes(pattern)));
    assert.ok(minimal.modules.length < vm.modules.length);
    assert.ok(minimal.initrdModules.devices.length < vm.initrdModules.devices.length);
  });

  void test("whatever disk a machine of metal has a driver for may hold its root", async () => {
    const { modules, initrdModules } = await readSources(repository, "metal");
    const drivers = modules
      .filter((pattern) => /^drivers\/(scsi|ata|nvme|pci|usb\/storage)\//.test(pattern))
      .flatMap((pattern) => alternatives(pattern))
      .map((path) => path.replace(/^.*\//, ""));
    // Other devices than disks, a part of a module, and disks in a network.
    const others = ["sg", "sr_mod", "nvme-core", "nvme-tcp", "nvme-fabrics"];
    assert.ok(drivers.length > 12);
    assert.deepEqual(
      drivers.filter((name) => !others.includes(name) && !initrdModules.devices.includes(name)),
      [],
    );
  });

  void test("no clock but a hypervisor's is trusted unseen", async () => {
    for (const variant of variants) {
      const { commandLine } = await readSources(repository, variant);
      assert.equal(commandLine.includes("tsc=reliable"), variant !== "metal", variant);
      assert.ok(commandLine.includes("console=ttyS0,115200"));
    }
  });

  void test("only machines of metal take what is not free software, and only for their kernel", async () => {
    for (const variant of variants) {
      const { kernel, recipe } = await readSources(repository, variant);
      const isFree = kernel.archives.every(({ component }) => component === "main");
      assert.equal(isFree, variant !== "metal", variant);
      assert.ok(recipe.archives.every(({ component }) => component === "main"));
    }
  });
});

/** `a/{b,c}` → `a/b`, `a/c`. */
function alternatives(pattern: string): string[] {
  const [, head = "", choices = "", tail = ""] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(pattern) ?? [];
  return choices === "" ? [pattern] : choices.split(",").map((choice) => head + choice + tail);
}
