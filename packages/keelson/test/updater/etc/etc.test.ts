import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "../../../src/host/run-program.ts";
import { settleAccounts, surveyEtc } from "../../../src/updater/etc/etc.ts";
import type { EtcPlaces } from "../../../src/updater/etc/etc.ts";

/** An overlay's two layers as folders: the upper one is what the machine sees where it has something. */
async function inEtc(run: (places: EtcPlaces, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-etc-"));
  const lower = join(folder, "lower");
  const upper = join(folder, "upper");
  try {
    for (const one of [lower, upper]) await mkdir(join(one, "ssh"), { recursive: true });
    const inLower: EtcPlaces["inLower"] = async (argv) =>
      (await runProgram(["sh", "-c", 'cd "$0" && exec "$@"', lower, ...argv])).stdout;
    const hashes = join(folder, "lower.json");
    await run({ upper, writable: upper, hashes, provisioned: join(folder, "state.json"), inLower }, folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a machine without anything of its own", () =>
  inEtc(async (places) => {
    assert.deepEqual((await surveyEtc(places)).entries, []);
    assert.deepEqual((await surveyEtc({ ...places, upper: "/nonexistent/upper" })).entries, []);
  }));

test("whose a file is, and what changed below it in a new version", () =>
  inEtc(async (places, folder) => {
    const applied = [{ what: "file /etc/motd", made: [{ path: "/etc/motd" }] }, { what: "a unit" }];
    await writeFile(places.provisioned, JSON.stringify({ applied }));
    await writeFile(join(folder, "upper/motd"), "hello\n");
    await writeFile(join(folder, "upper/ssh/ssh_host_ed25519_key"), "key\n");
    await writeFile(join(folder, "upper/odd name\n.conf"), "by hand\n");
    await symlink("/dev/null", join(folder, "upper/sysctl.conf"));
    await writeFile(join(folder, "lower/sysctl.conf"), "first\n");
    const first = (await surveyEtc(places)).entries;
    assert.deepEqual(
      first.map(({ path, owner, covers }) => [path, owner, covers]),
      [
        ["motd", "rendered", false],
        ["odd name\n.conf", "foreign", false],
        ["ssh/ssh_host_ed25519_key", "machine", false],
        ["sysctl.conf", "foreign", true],
      ],
    );
    assert.equal(first[0]?.source, "file /etc/motd");
    assert.ok(first.every(({ changedBelow }) => !changedBelow));
    await writeFile(join(folder, "lower/sysctl.conf"), "second\n");
    await writeFile(join(folder, "lower/motd"), "the image has one now\n");
    for (let i = 0; i < 2; i++) {
      const changed = (await surveyEtc(places)).entries.filter(({ changedBelow }) => changedBelow);
      assert.deepEqual(
        changed.map(({ path }) => path),
        ["motd", "sysctl.conf"],
      );
    }
  }));

test("what cannot be read is as if it was not there", () =>
  inEtc(async (places, folder) => {
    await writeFile(places.provisioned, "{");
    await writeFile(places.hashes, "[1]");
    await writeFile(join(folder, "upper/a"), "");
    assert.equal((await surveyEtc(places)).entries[0]?.owner, "foreign");
  }));

test("accounts are added in place, with their modes, and only when there is something to add", () =>
  inEtc(async (places, folder) => {
    const files = {
      passwd: "root:x:0:0::/root:/bin/sh\n",
      group: "root:x:0:\n",
      shadow: "root:*:::::::\n",
      gshadow: "root:*::\n",
    };
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(folder, "lower", name), text);
      await writeFile(join(folder, "upper", name), text, { mode: name.endsWith("shadow") ? 0o640 : 0o644 });
    }
    assert.deepEqual(await settleAccounts(places), []);
    await writeFile(join(folder, "lower/passwd"), `${files.passwd}new:x:200:200::/:/bin/false\n`);
    await writeFile(join(folder, "lower/shadow"), `${files.shadow}new:!:::::::\n`);
    assert.deepEqual(await settleAccounts(places), ["passwd", "shadow"]);
    assert.match(await readFile(join(folder, "upper/passwd"), "utf8"), /^new:x:200:200:/m);
    assert.equal((await stat(join(folder, "upper/shadow"))).mode & 0o777, 0o640);
    await rm(join(folder, "lower/passwd"));
    await assert.rejects(settleAccounts(places), { code: "KEEL-861" });
  }));
