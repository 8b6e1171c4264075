import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import { writeSignatureList } from "../../src/secure-boot/signature-list.ts";
import { variables } from "../../src/secure-boot/variables.ts";
import { firmwareKeys } from "../../src/updater/firmware-keys.ts";
import type { KeyRing } from "../../src/secure-boot/verify.ts";
import { rollBack } from "../../src/updater/roll-back.ts";
import { FolderSource } from "../../src/updater/sources/folder-source.ts";
import { newSigner } from "../secure-boot/small-program.ts";
import { machineUnderTest, publish, wishes, writeFolder } from "./machine-under-test.ts";

describe("the firmware's keys", () => {
  const signer = newSigner("db");
  const list = writeSignatureList(signer.certificate, "01234567-89ab-4def-8123-456789abcdef");
  let folder = "";
  before(async () => void (folder = await mkdtemp(join(tmpdir(), "keelson-firmware-"))));
  after(() => rm(folder, { recursive: true, force: true }));
  const set = (name: keyof typeof variables, value: Uint8Array): Promise<void> =>
    writeFile(join(folder, `${name}-${variables[name]}`), Buffer.concat([Buffer.of(0x27, 0, 0, 0), value]));

  test("matter only while it demands signatures", async () => {
    assert.equal(await firmwareKeys(join(folder, "none")), undefined);
    await set("db", list);
    assert.equal(await firmwareKeys(folder), undefined);
    await set("SecureBoot", Buffer.of(0));
    assert.equal(await firmwareKeys(folder), undefined);
  });

  test("are those of its variables", async () => {
    await set("SecureBoot", Buffer.of(1));
    const keys = await firmwareKeys(folder);
    assert.deepEqual(
      keys?.allowed.certificates.map(({ raw }) => raw),
      [signer.certificate.raw],
    );
    assert.deepEqual(keys?.forbidden, { certificates: [], hashes: [] });
    await set("db", Buffer.from("garbage"));
    assert.deepEqual((await firmwareKeys(folder))?.allowed, { certificates: [], hashes: [] });
  });
});

describe("an update on a machine that demands signatures", () => {
  test("is refused before anything is written when its kernel image is not signed", async () => {
    const nothing = { certificates: [], hashes: [] };
    const keys = { allowed: nothing, forbidden: nothing };
    await using machine = await machineUnderTest({ parts: { firmwareKeys: async () => keys } });
    const releases = join(machine.folder, "releases");
    await writeFolder(releases, publish("2.1.0"));
    const before_ = await machine.slots.entries();
    const slots = await machine.slots.slots();
    await assert.rejects(
      machine.updater.update(new FolderSource(releases), wishes()),
      (error) => error instanceof KeelError && error.code === "KEEL-343",
    );
    assert.deepEqual(await machine.slots.entries(), before_);
    assert.deepEqual(await machine.slots.slots(), slots);
  });

  test("does not go back to a version that would not start any more", async () => {
    await using machine = await machineUnderTest();
    const releases = join(machine.folder, "releases");
    await writeFolder(releases, publish("2.1.0"));
    await machine.updater.update(new FolderSource(releases), wishes({ to: "2.1.0" }));
    const keys = { certificates: [], hashes: [] };
    const firmwareKeys = async (): Promise<KeyRing> => ({ allowed: keys, forbidden: keys });
    await machine.slots.bless("2.1.0");
    await machine.slots.condemn("2.1.0");
    const entries = await machine.slots.entries();
    await assert.rejects(
      rollBack({ ...machine.parts, firmwareKeys }, { force: true }),
      (error) => error instanceof KeelError && error.code === "KEEL-343",
    );
    assert.deepEqual(await machine.slots.entries(), entries);
  });
});
