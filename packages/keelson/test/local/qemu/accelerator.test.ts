import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { acceleratorNamed, chooseAccelerator, emulated } from "../../../src/local/qemu/accelerator.ts";
import { emulatorVersion } from "../../../src/local/qemu/emulator.ts";

describe("the choice of an accelerator", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "keelson-accelerator-"));
    await writeFile(join(folder, "kvm"), "");
    await writeFile(join(folder, "able"), "processor\t: 0\nflags\t\t: fpu vmx sse\n");
    await writeFile(join(folder, "unable"), "processor\t: 0\nflags\t\t: fpu sse\n");
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** The choice when QEMU's trial is this shell line. */
  const choose = (line: string, more: { device?: string; processor?: string; timeoutMs?: number } = {}) =>
    chooseAccelerator({
      emulator: ["sh", "-c", line],
      device: join(folder, more.device ?? "kvm"),
      processorInfo: join(folder, more.processor ?? "able"),
      timeoutMs: more.timeoutMs ?? 30_000,
    });

  test("is KVM when QEMU could make a machine with it", async () => {
    assert.equal((await choose("exit 0")).name, "kvm");
  });

  test("is emulation with the reason when it could not", async () => {
    assert.deepEqual(await choose("echo no access >&2; exit 1"), emulated("no access"));
    assert.deepEqual(await choose("exit 3"), emulated("the trial of KVM ended with 3"));
    assert.match((await choose("exit 0", { device: "none" })).because, /none does not exist/);
    assert.match((await choose("exit 0", { processor: "unable" })).because, /offers no virtualisation/);
  });

  test("does not wait for one that never returns", async () => {
    assert.deepEqual(
      await choose("exec sleep 60", { timeoutMs: 300 }),
      emulated("KVM did not answer within 0.3 s"),
    );
  });

  test("says how much longer emulated machines take, from the record too", async () => {
    const kvm = await choose("exit 0");
    assert.deepEqual(acceleratorNamed("kvm"), kvm);
    assert.ok(acceleratorNamed("tcg").slowness > kvm.slowness);
  });
});

test("the host's QEMU is known by its version", () => {
  assert.equal(emulatorVersion("QEMU emulator version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)\n"), 10);
  assert.equal(emulatorVersion("QEMU emulator version 7.2.22"), 7);
  assert.equal(emulatorVersion("sh: not found"), 0);
});
