import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import { chooseAddress, MachineRecords } from "../../src/local/machine-records.ts";
import { findCommand } from "../../src/local/host-facts.ts";

const subnet = "10.205.7.0/24";
const coded = (code: string) => (error: unknown) => error instanceof KeelError && error.code === code;

describe("a machine's address", () => {
  test("follows its number, and falls back to the first that is free", () => {
    assert.equal(chooseAddress("m1", subnet, new Set()), "10.205.7.11");
    assert.equal(chooseAddress("m200", subnet, new Set()), "10.205.7.210");
    assert.equal(chooseAddress("m999", subnet, new Set()), "10.205.7.11");
    assert.equal(chooseAddress("m0", subnet, new Set()), "10.205.7.11");
    assert.equal(chooseAddress("database", subnet, new Set(["10.205.7.11"])), "10.205.7.12");
    assert.equal(chooseAddress("m1", subnet, new Set(["10.205.7.11", "10.205.7.12"])), "10.205.7.13");
  });

  test("runs out with an error", () => {
    const all = new Set(Array.from({ length: 255 }, (_, i) => `10.205.7.${i}`));
    assert.throws(() => chooseAddress("m1", subnet, all), coded("KEEL-303"));
  });
});

const skip = findCommand("ssh-keygen") === undefined ? "ssh-keygen is not installed" : false;

test("the folders of machines", { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "machines-"));
  mkdirSync(join(folder, "ssh"));
  writeFileSync(join(folder, "ssh/id_ed25519.pub"), "ssh-ed25519 AAAA keel\n");
  const records = new MachineRecords({ cluster: "demo", folder, subnet });

  const credentials = ({ address }: { readonly address: string }): Record<string, string> => ({
    "keelson.config": address,
  });
  await records.make({ name: "m10", credentials });
  const { ino } = statSync(join(folder, "hosts"));
  const two = await records.make({ name: "m2" });
  assert.equal(statSync(join(folder, "hosts")).ino, ino, "the file that machines hold is written in place");
  assert.match(two.machineId, /^[0-9a-f]{32}$/);
  assert.deepEqual(
    (await records.all()).map(({ name }) => name),
    ["m2", "m10"],
  );
  const config = join(records.paths("m10").credentials, "keelson.config");
  assert.equal(readFileSync(config, "utf8"), "10.205.7.20");
  assert.equal(statSync(config).mode & 0o777, 0o600);
  assert.match(readFileSync(join(folder, "hosts"), "utf8"), /^10\.205\.7\.12 m2\n10\.205\.7\.20 m10\n/m);
  assert.match(readFileSync(join(folder, "ssh/known_hosts"), "utf8"), /^m2,10\.205\.7\.12 ssh-ed25519 A/);
  await assert.rejects(records.make({ name: "m2" }), coded("KEEL-305"));

  await records.forget("m2");
  assert.deepEqual(await records.folders().then((names) => names.toSorted()), ["m10", "m2"]);
  await assert.rejects(records.read("m2"), coded("KEEL-502"));
  await records.make({ name: "m2" });
  await records.remove("m10");
  assert.ok(!existsSync(records.paths("m10").folder));
  assert.equal(readFileSync(join(folder, "hosts"), "utf8").split("\n").length, 5);
  rmSync(folder, { recursive: true });
});
