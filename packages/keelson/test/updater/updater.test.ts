import assert from "node:assert/strict";
import { chmod, readFile, readdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { loadTrust, rememberRunning as keepRunning } from "../../src/updater/machine-trust.ts";
import { nextEntry } from "../../src/updater/boot-order.ts";
import { rollBack } from "../../src/updater/roll-back.ts";
import { PowerCut } from "../../src/updater/simulated-disk/simulated-disk.ts";
import { FolderSource } from "../../src/updater/sources/folder-source.ts";
import { readSystemStatus } from "../../src/updater/system-status.ts";
import { day, makeDowngrade, makeRoot, now, signedDowngrade, signedRoot } from "../releases/ceremony.ts";
import {
  machineUnderTest,
  publish,
  publishDelta,
  runningRelease,
  testClock,
  wishes,
  writeFolder,
} from "./machine-under-test.ts";
import type { MachineUnderTest } from "./machine-under-test.ts";

const newer = publish("2.1.0");
const running = runningRelease.version;

/** Nothing that starts next has changed, and the passive slot is as it was. */
async function unchanged({ disk, slots }: MachineUnderTest): Promise<void> {
  assert.deepEqual(
    (await slots.entries()).map(({ version, tries }) => [version, tries]),
    [[running, undefined]],
  );
  assert.equal((await disk.start())?.version, running);
}

describe("an update from a folder", () => {
  test("is staged, told, started, and told again", async () => {
    await using machine = await machineUnderTest();
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    const phases: string[] = [];
    const onProgress = ({ phase }: { readonly phase: string }): void => void phases.push(phase);
    const done = await machine.updater.update(source, wishes({ onProgress }));
    assert.deepEqual([done.version, done.from, done.how], ["2.1.0", running, "full"]);
    assert.equal(done.bytes, newer.manifest.root.size + newer.manifest.kernel.size);
    assert.deepEqual([...new Set(phases)], ["kernel", "root", "verify", "activate"]);
    const status = await readSystemStatus({ ...machine.parts, busy: async () => false });
    assert.deepEqual(status.next, { version: "2.1.0", because: "update" });
    assert.deepEqual(status.other, { slot: "b", version: "2.1.0", tries: { left: 3, done: 0 } });
    assert.equal(status.update, undefined);
    assert.equal((await machine.disk.start())?.version, "2.1.0");
    const after = await readSystemStatus({ ...machine.parts, busy: async () => false });
    assert.deepEqual(after.running.trial, { left: 2, done: 1 });
    assert.deepEqual(
      (await machine.records.history()).map(({ kind, version }) => [kind, version]),
      [
        ["started", "2.1.0"],
        ["staged", "2.1.0"],
      ],
    );
    assert.deepEqual(await readdir(join(machine.folder, "os")), ["history.jsonl", "state.json", "trust"]);
  });

  test("takes the newest of the folder, or the one that is named", async () => {
    await using machine = await machineUnderTest();
    const folder = await writeFolder(join(machine.folder, "usb"), newer, publish("2.10.0"), publish("2.9.0"));
    const source = new FolderSource(folder);
    assert.equal((await machine.updater.plan(source, wishes())).manifest.version, "2.10.0");
    assert.equal((await machine.updater.plan(source, wishes({ to: "2.9.0" }))).manifest.version, "2.9.0");
    await assert.rejects(machine.updater.plan(source, wishes({ to: "3.0.0" })), { code: "KEEL-814" });
  });

  test("goes on with an image that was written whole before it broke off", async () => {
    await using machine = await machineUnderTest();
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    machine.disk.slots.b.set(newer.image);
    const done = await machine.updater.update(source, wishes());
    assert.equal(done.how, "present");
    machine.disk.slots.b[500_000] = 1;
    assert.equal((await machine.updater.update(source, wishes({ force: true }))).how, "full");
    assert.equal((await machine.disk.start())?.version, "2.1.0");
  });

  test("never runs twice at once", async () => {
    await using machine = await machineUnderTest();
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    const both = await Promise.allSettled([
      machine.updater.update(source, wishes()),
      machine.updater.update(source, wishes()),
    ]);
    assert.deepEqual(
      both
        .map((one) => (one.status === "rejected" ? (one.reason as { code: string }).code : "done"))
        .toSorted(),
      ["KEEL-803", "done"],
    );
  });

  test("that is interrupted leaves what runs, says so, and is gone on with", async () => {
    for (const phase of ["kernel", "root", "verify"]) {
      await using machine = await machineUnderTest();
      const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
      const stop = new AbortController();
      const onProgress = (event: { readonly phase: string }): void => {
        if (event.phase === phase) stop.abort(new Error("Ctrl-C"));
      };
      await assert.rejects(
        machine.updater.update(source, wishes({ signal: stop.signal, onProgress })),
        /Ctrl-C/,
      );
      const status = await readSystemStatus({ ...machine.parts, busy: async () => false });
      assert.equal(status.update?.state, "interrupted");
      assert.equal(status.next.version, running, phase);
      assert.equal((await machine.records.history()).at(-1)?.kind, "interrupted");
      await machine.updater.update(source, wishes());
      assert.equal((await machine.disk.start())?.version, "2.1.0");
    }
  });
});

describe("an update by a delta", () => {
  test("fetches little, and is read back like a whole one", async () => {
    await using machine = await machineUnderTest();
    const small = await publishDelta("2.1.0");
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), small));
    const done = await machine.updater.update(source, wishes());
    assert.equal(done.how, "delta");
    assert.ok(done.bytes < small.manifest.root.size, `${done.bytes} bytes`);
    assert.equal((await machine.disk.start())?.version, "2.1.0");
  });

  const spoilers = {
    "is damaged": (delta: Buffer) => Buffer.concat([delta.subarray(0, -1), Buffer.of(9)]),
    "ends early": (delta: Buffer) => delta.subarray(0, delta.length >> 1),
    "is no delta": () => Buffer.from("nothing of the kind"),
  };
  for (const [what, spoil] of Object.entries(spoilers))
    test(`that ${what} is followed by the whole image`, async () => {
      await using machine = await machineUnderTest();
      const source = new FolderSource(
        await writeFolder(join(machine.folder, "usb"), await publishDelta("2.1.0", spoil)),
      );
      const notes: string[] = [];
      const onNote = (text: string): void => void notes.push(text);
      const done = await machine.updater.update(source, wishes({ onNote }));
      assert.equal(done.how, "full");
      assert.match(notes.join(), /fetching the whole image/);
      assert.equal((await machine.disk.start())?.version, "2.1.0");
    });

  test("that is not there, or starts from blocks that have changed, is followed by the whole image", async () => {
    for (const hurt of ["missing", "base"]) {
      await using machine = await machineUnderTest();
      const small = await publishDelta("2.1.0");
      const files = hurt === "missing" ? publish("2.1.0", () => small.manifest).files : small.files;
      const folder = await writeFolder(join(machine.folder, "usb"), { ...small, files });
      await writeFile(
        join(folder, small.manifest.root.name),
        small.files.get(small.manifest.root.name) ?? "",
      );
      await writeFile(join(folder, small.manifest.kernel.name), small.kernel);
      if (hurt === "base") machine.disk.slots.a[900_000] = (machine.disk.slots.a[900_000] ?? 0) ^ 1;
      const done = await machine.updater.update(new FolderSource(folder), wishes());
      assert.equal(done.how, "full", hurt);
      assert.equal((await machine.disk.start())?.version, "2.1.0");
    }
  });
});

describe("an update is refused", () => {
  const cases = {
    "what runs": { release: publish(running), code: "KEEL-804", reason: "runs" },
    "an older one without a leave": { release: publish("1.0.0"), code: "KEEL-825" },
    "a lower epoch": { release: publish("3.0.0", (m) => ({ ...m, epoch: 0 })), code: "KEEL-826" },
    "one that has expired": {
      release: publish("2.1.0", (m) => ({ ...m, variant: "vm", expires: now - 1 })),
      code: "KEEL-823",
    },
    "one that must be reached over another": {
      release: publish("2.1.0", (m) => ({ ...m, from: "2.0.5" })),
      code: "KEEL-831",
    },
    "a kernel for another root": {
      release: publish("2.1.0", (m) => ({
        ...m,
        root: { ...m.root, uuid: "00000000-0000-4000-8000-000000000000" },
      })),
      code: "KEEL-828",
    },
  } as const;
  for (const [what, { release, code }] of Object.entries(cases))
    test(`for ${what}: ${code}`, async () => {
      await using machine = await machineUnderTest();
      const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), release));
      const before = Buffer.from(machine.disk.slots.b);
      await assert.rejects(machine.updater.update(source, wishes({ to: release.version })), { code });
      assert.ok(before.equals(machine.disk.slots.b), "the passive slot was written");
      await unchanged(machine);
    });

  test("for a version that failed here, unless it is forced", async () => {
    const failed = [{ version: "2.1.0", reason: "keeld did not start" }];
    await using machine = await machineUnderTest({ failed });
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    await assert.rejects(machine.updater.update(source, wishes()), {
      code: "KEEL-804",
      message: /keeld did not/,
    });
    await machine.updater.update(source, wishes({ force: true }));
  });

  test("for one that waits for its restart, and on trial", async () => {
    await using machine = await machineUnderTest();
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    await machine.updater.update(source, wishes());
    const error = await machine.updater.update(source, wishes()).catch((one: unknown) => one);
    assert.equal((error as { details: { reason: string } }).details.reason, "waits");
    await machine.disk.start();
    const next = new FolderSource(await writeFolder(join(machine.folder, "next"), publish("2.2.0")));
    const trial = await machine.updater.update(next, wishes()).catch((one: unknown) => one);
    assert.equal((trial as { details: { reason: string } }).details.reason, "trial");
    await machine.slots.bless("2.1.0");
    await machine.updater.update(next, wishes());
    assert.equal((await machine.disk.start())?.version, "2.2.0");
  });

  test("when the ESP has no room for the kernel, before anything is written", async () => {
    await using machine = await machineUnderTest({ espBytes: 160 << 10 });
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    await assert.rejects(machine.updater.update(source, wishes()), { code: "KEEL-809" });
    await unchanged(machine);
  });

  test("without a root of trust that can be read, and with a forged one", async () => {
    await using machine = await machineUnderTest();
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    await writeFile(machine.trustFiles.shipped, "{}");
    await assert.rejects(machine.updater.update(source, wishes()), { code: "KEEL-805" });
    await unchanged(machine);
  });
});

describe("files that are not what was signed", () => {
  const damage = {
    "a byte of the root image": async (folder: string) => {
      const path = join(folder, newer.manifest.root.name);
      const bytes = await readFile(path);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      await writeFile(path, bytes);
    },
    "a byte of the kernel": async (folder: string) => {
      const path = join(folder, newer.manifest.kernel.name);
      const bytes = await readFile(path);
      bytes[2000] = (bytes[2000] ?? 0) ^ 1;
      await writeFile(path, bytes);
    },
    "a root image cut short": (folder: string) => truncate(join(folder, newer.manifest.root.name), 1000),
  };
  for (const [what, make] of Object.entries(damage))
    test(`${what}: what runs goes on, and the right file works later`, async () => {
      await using machine = await machineUnderTest();
      const folder = await writeFolder(join(machine.folder, "usb"), newer);
      await make(folder);
      await assert.rejects(machine.updater.update(new FolderSource(folder), wishes()), { code: "KEEL-807" });
      await unchanged(machine);
      await writeFolder(folder, newer);
      await machine.updater.update(new FolderSource(folder), wishes());
      assert.equal((await machine.disk.start())?.version, "2.1.0");
    });

  test("a disk that keeps something else than was written: found when it is read back", async () => {
    await using machine = await machineUnderTest();
    const open = machine.disk.openSlot.bind(machine.disk);
    machine.disk.openSlot = async (slot, mode) => {
      const device = await open(slot, mode);
      const write: typeof device.write = (buffer, position) => {
        const kept = Uint8Array.from(buffer);
        if (position === 0) kept[70_000] = (kept[70_000] ?? 0) ^ 1;
        return device.write(kept, position);
      };
      return { ...device, write };
    };
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    await assert.rejects(machine.updater.update(source, wishes()), { code: "KEEL-808" });
    await unchanged(machine);
    machine.disk.openSlot = open;
    await machine.updater.update(source, wishes());
    assert.equal((await machine.disk.start())?.version, "2.1.0");
  });

  test("a manifest with one byte changed is not believed", async () => {
    await using machine = await machineUnderTest();
    const folder = await writeFolder(join(machine.folder, "usb"), newer);
    const path = join(folder, newer.manifest.root.name.replace("root.zst", "manifest.json"));
    const text = (await readFile(path, "utf8")).replace(
      /"sig":"(.)/,
      (_, one: string) => `"sig":"${one === "A" ? "B" : "A"}`,
    );
    await writeFile(path, text);
    await assert.rejects(machine.updater.update(new FolderSource(folder), wishes()), { code: /KEEL-82[12]/ });
    await unchanged(machine);
  });
});

describe("going back", () => {
  const older = publish("1.0.0");

  test("to an older release takes its signed leave", async () => {
    await using machine = await machineUnderTest();
    const folder = await writeFolder(join(machine.folder, "usb"), older);
    const source = new FolderSource(folder);
    await assert.rejects(machine.updater.update(source, wishes({ allowDowngrade: true })), {
      code: "KEEL-825",
    });
    const leave = makeDowngrade(older.manifest);
    const name = older.manifest.root.name.replace("root.zst", "downgrade.json");
    await writeFile(join(folder, name), signedDowngrade(leave));
    await machine.updater.update(source, wishes({ allowDowngrade: true }));
    assert.equal((await machine.disk.start())?.version, "1.0.0");
    await machine.slots.bless("1.0.0");
    assert.equal((await machine.disk.start())?.version, "1.0.0");
  });

  test("by hand: the other version, at once and again", async () => {
    await using machine = await machineUnderTest();
    await assert.rejects(rollBack(machine.parts, { force: false }), { code: "KEEL-811" });
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    await machine.updater.update(source, wishes());
    await machine.disk.start();
    await machine.slots.bless("2.1.0");
    assert.deepEqual(await rollBack(machine.parts, { force: false }), {
      kind: "rollback",
      from: "2.1.0",
      to: running,
    });
    await assert.rejects(rollBack(machine.parts, { force: false }), { code: "KEEL-804" });
    assert.equal((await machine.disk.start())?.version, running);
    assert.deepEqual(await rollBack(machine.parts, { force: false }), {
      kind: "rollback",
      from: running,
      to: "2.1.0",
    });
    assert.equal((await machine.disk.start())?.version, "2.1.0");
  });

  test("never to an older release than one that was good here, but by hand", async () => {
    await using machine = await machineUnderTest();
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    await machine.updater.update(source, wishes());
    await machine.disk.start();
    await machine.slots.bless("2.1.0");
    const { trustFiles: files } = machine;
    const rememberRunning = async (): Promise<void> => {
      const { version } = await machine.slots.running();
      await keepRunning(await loadTrust({ version, variant: "vm" }, files, now), files);
    };
    await rollBack({ ...machine.parts, rememberRunning }, { force: false });
    assert.equal((await machine.disk.start())?.version, running);
    const between = new FolderSource(await writeFolder(join(machine.folder, "between"), publish("2.0.5")));
    await assert.rejects(machine.updater.update(between, wishes()), { code: "KEEL-825" });
  });

  test("takes back an update that waits", async () => {
    await using machine = await machineUnderTest();
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    await machine.updater.update(source, wishes());
    assert.deepEqual(await rollBack(machine.parts, { force: false }), {
      kind: "cancelled",
      from: "2.1.0",
      to: running,
    });
    assert.equal(nextEntry(await machine.slots.entries())?.version, running);
    assert.equal((await machine.disk.start())?.version, running);
  });

  test("to a version that failed must be forced, and gives it tries", async () => {
    const failed = [{ version: "2.1.0", reason: "no store" }];
    await using machine = await machineUnderTest({ failed });
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    await machine.updater.update(source, wishes({ force: true }));
    await machine.slots.condemn("2.1.0");
    await machine.disk.start();
    await assert.rejects(rollBack(machine.parts, { force: false }), { code: "KEEL-804" });
    await rollBack(machine.parts, { force: true });
    assert.equal((await machine.disk.start())?.version, "2.1.0");
  });
});

describe("trust", () => {
  test("follows roots that a source has, and keeps them", async () => {
    await using machine = await machineUnderTest();
    const folder = await writeFolder(join(machine.folder, "usb"), newer);
    await writeFile(
      join(folder, "root.2.json"),
      signedRoot(makeRoot({ version: 2, epoch: { least: 1, most: 20 } })),
    );
    const about = await machine.updater.about(new FolderSource(folder), new AbortController().signal);
    assert.equal(about.trust.trust.version, 2);
    const empty = await writeFolder(join(machine.folder, "empty"));
    const later = await machine.updater.about(new FolderSource(empty), new AbortController().signal);
    assert.equal(later.trust.trust.version, 2);
  });

  test("expires with the manifest", async () => {
    await using machine = await machineUnderTest({
      parts: { clock: { ...testClock, wall: () => (now + 100 * day) * 1000 } },
    });
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    await assert.rejects(machine.updater.update(source, wishes()), { code: "KEEL-823" });
  });
});

test("records that cannot be written end an update before it begins", async () => {
  await using machine = await machineUnderTest();
  const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
  await writeFile(join(machine.folder, "os"), "a file where the folder must be");
  await assert.rejects(machine.updater.update(source, wishes()));
  await chmod(join(machine.folder, "os"), 0o600);
  await unchanged(machine);
});

test("whatever step of an update the power goes in, the running or the whole new version starts", async () => {
  const seed = Number(process.env.KEEL_SEED ?? 7);
  for (let steps = 0; ; steps += 1) {
    await using machine = await machineUnderTest({ seed: seed + steps });
    const source = new FolderSource(await writeFolder(join(machine.folder, "usb"), newer));
    machine.disk.cutAfter(steps);
    const cut = await machine.updater.update(source, wishes()).then(
      () => false,
      (error: unknown) => {
        if (error instanceof PowerCut) return true;
        throw error;
      },
    );
    const boot = await machine.disk.start();
    assert.ok(boot?.version === running || boot?.version === "2.1.0", `KEEL_SEED=${seed} step ${steps}`);
    if (!cut) return;
    if (boot.version === running) await machine.updater.update(source, wishes({ force: true }));
    assert.equal(
      (await machine.disk.start())?.version,
      "2.1.0",
      `KEEL_SEED=${seed} step ${steps}: afterwards`,
    );
  }
});
