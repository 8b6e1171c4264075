// The shell scripts of the image that run before and around the gate, with files of the test's in place of the
// machine's.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { parseBootRecords } from "../../../src/updater/boot-records.ts";

const scripts = resolve(import.meta.dirname, "../../../../../os/image/root/usr/lib/keelson");
const variable = "LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
const boot = "0b8e9b2c-6a3d-4c51-9f7e-2d8f7c1a5e60";

async function inMachine(entry: string | undefined, run: (machine: Machine) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-scripts-"));
  try {
    await mkdir(join(folder, "run/keelson"), { recursive: true });
    await writeFile(join(folder, "os"), "VERSION=1.2.3\nVARIANT=vm\nSLOT=b\n");
    await writeFile(join(folder, "boot_id"), `${boot}\n`);
    await writeFile(join(folder, "cmdline"), 'quiet keelson.version=1.2.3 odd="a\\b"\n');
    if (entry !== undefined)
      await writeFile(join(folder, variable), Buffer.from(`\u{6}\0${entry}\0`, "utf16le"));
    const env = {
      PATH: "/usr/bin:/bin",
      KEELSON_RUN: join(folder, "run"),
      KEELSON_STATE: join(folder, "state"),
      KEELSON_OS_FACTS: join(folder, "os"),
      KEELSON_EFIVARS: folder,
      KEELSON_BOOT_ID: join(folder, "boot_id"),
      KEELSON_COMMAND_LINE: join(folder, "cmdline"),
      KEELSON_GATE_CONF: join(folder, "gate.conf"),
      KEELSON_ETC_STATE: join(folder, "etc"),
    };
    const shell = (text: string) => {
      const { status, stdout } = spawnSync("/bin/sh", ["-c", text], { env, encoding: "utf8" });
      return { status, out: stdout.trim() };
    };
    await run({ folder, shell, records: join(folder, "state/boots.jsonl") });
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface Machine {
  readonly folder: string;
  readonly records: string;
  readonly shell: (text: string) => { readonly status: number | null; readonly out: string };
}

const ask = `. ${scripts}/boot-trial; on_trial && echo "$left $done"`;

describe("scripts of the image", () => {
  const counted: readonly (readonly [string | undefined, string])[] = [
    ["\\EFI\\Linux\\keelson_1.2.3+2-1.efi", "2 1"],
    ["\\EFI\\Linux\\keelson_1.2.3+0-3.efi", "0 3"],
    ["\\EFI\\Linux\\keelson_1.2.3+3.efi", "3 0"],
    ["\\EFI\\LINUX\\keelson_1.2.3+2-1.EFI", "2 1"],
    ["\\EFI\\Linux\\keelson_1.2.3+0-4.efi", ""],
    ["\\EFI\\Linux\\keelson_1.2.3.efi", ""],
    ["\\EFI\\Linux\\other+2-1.efi", ""],
    ["\\EFI\\Linux\\keelson_1.2.3+x-1.efi", ""],
    ["\\EFI\\Linux\\keelson_1.2.3+-.efi", ""],
    [undefined, ""],
  ];
  for (const [entry, expected] of counted)
    test(`on trial: ${entry ?? "no boot counting"} → ${expected || "no"}`, () =>
      inMachine(entry, ({ shell }) => {
        assert.deepEqual(shell(ask), { status: expected === "" ? 1 : 0, out: expected });
        return Promise.resolve();
      }));

  test("a boot on trial is on record, and what follows is laid out", () =>
    inMachine("\\EFI\\Linux\\keelson_1.2.3+2-1.efi", async ({ folder, records, shell }) => {
      assert.equal(shell(`${scripts}/boot-record`).status, 0);
      const [found] = parseBootRecords(await readFile(records, "utf8"));
      assert.equal(found?.boot, boot);
      assert.equal(found?.version, "1.2.3");
      assert.equal(found?.slot, "b");
      assert.deepEqual(found?.trial, { left: 2, done: 1 });
      assert.equal(found?.commandLine, 'quiet keelson.version=1.2.3 odd="a\\b"');
      assert.equal(await readFile(join(folder, "run/keelson/trial"), "utf8"), "left=2 done=1\n");
      assert.match(
        await readFile(join(folder, "run/systemd/journald.conf.d/trial.conf"), "utf8"),
        /SyncIntervalSec=2s/,
      );
      assert.equal(await readFile(join(folder, "run/systemd/journal/flushed"), "utf8"), "");
      assert.equal(await readFile(join(folder, "run/keelson/etc-changed"), "utf8"), "");
    }));

  test("any other boot is on record, too, behind what a power cut has torn", () =>
    inMachine(undefined, async ({ folder, records, shell }) => {
      await mkdir(join(folder, "state"));
      await mkdir(join(folder, "etc"));
      await writeFile(join(folder, "etc/version"), "1.2.3\n");
      await writeFile(records, '{"kind":"boot","bo');
      assert.equal(shell(`${scripts}/boot-record`).status, 0);
      const [found, ...others] = parseBootRecords(await readFile(records, "utf8"));
      assert.equal(found?.boot, boot);
      assert.equal(found?.trial, undefined);
      assert.deepEqual(others, []);
      await assert.rejects(readFile(join(folder, "run/keelson/trial")), { code: "ENOENT" });
      await assert.rejects(readFile(join(folder, "run/keelson/etc-changed")), { code: "ENOENT" });
    }));

  test("the record is cut when it has grown long", () =>
    inMachine(undefined, async ({ folder, records, shell }) => {
      await mkdir(join(folder, "state"));
      await writeFile(records, "");
      await appendFile(records, `${"x".repeat(1000)}\n`.repeat(400));
      shell(`${scripts}/boot-record`);
      const text = await readFile(records, "utf8");
      assert.ok(text.length < 140_000);
      assert.equal(parseBootRecords(text).length, 1);
    }));

  test("a state that cannot be written does not fail the boot", () =>
    inMachine(undefined, async ({ folder, shell }) => {
      await writeFile(join(folder, "state"), "no folder");
      const { status, out } = shell(`${scripts}/boot-record 2>/dev/null`);
      assert.equal(status, 0);
      assert.match(out, /cannot be put on record/);
    }));

  test("ending a boot that is not on trial does nothing", () =>
    inMachine(undefined, async ({ records, shell }) => {
      assert.deepEqual(shell(`${scripts}/trial-end "a reason"`), { status: 0, out: "" });
      await assert.rejects(readFile(records), { code: "ENOENT" });
    }));

  const deadlines: readonly (readonly [string, string])[] = [
    ["", "300"],
    ["DEADLINE_SECONDS=120\n", "120"],
    ["# comment\nDEADLINE_SECONDS=45", "45"],
    ["DEADLINE_SECONDS=1\n", "30"],
    ["DEADLINE_SECONDS=99999\n", "3600"],
    ["DEADLINE_SECONDS=$(reboot)\n", "300"],
  ];
  for (const [text, expected] of deadlines)
    test(`the deadline of ${JSON.stringify(text)} is ${expected} s`, () =>
      inMachine(undefined, async ({ folder, shell }) => {
        await writeFile(join(folder, "gate.conf"), text);
        assert.equal(shell(`. ${scripts}/boot-trial; read_deadline; echo $deadline`).out, expected);
      }));
});
