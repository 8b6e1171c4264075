import assert from "node:assert/strict";
import { appendFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { PartialFiles } from "../../src/updater/sources/partial-file.ts";

const file = { sha256: "ab".repeat(32), size: 64 << 20 };
const chunk = Buffer.alloc(3 << 20, 1);

async function inFolder(task: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-partial-"));
  try {
    await task(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function keep(folder: string, boot: string, chunks: number): Promise<number> {
  await using kept = await new PartialFiles(folder, async () => boot).open(file);
  const had = kept?.bytes ?? -1;
  for (let i = 0; i < chunks; i++) await kept?.append(chunk);
  return had;
}

test("in the same boot all that was kept counts", () =>
  inFolder(async (folder) => {
    await keep(folder, "one", 1);
    assert.equal(await keep(folder, "one", 4), chunk.length);
    assert.equal(await keep(folder, "one", 0), 5 * chunk.length);
  }));

test("after a restart only what was synced counts, since the rest may read as zeros", () =>
  inFolder(async (folder) => {
    await keep(folder, "one", 5);
    assert.equal(await keep(folder, "two", 0), 3 * chunk.length);
    assert.equal(await keep(folder, "three", 0), 3 * chunk.length);
  }));

test("a note that cannot be read, or claims too much, is believed nothing", () =>
  inFolder(async (folder) => {
    const path = join(folder, `${file.sha256}.part`);
    for (const note of ["", "one", "one x\n", "one 99999999999999999999\n"]) {
      await keep(folder, "one", 1);
      await writeFile(path.replace(/part$/, "synced"), note);
      assert.equal(await keep(folder, "two", 0), 0, note);
    }
    await keep(folder, "one", 1);
    await writeFile(path.replace(/part$/, "synced"), "two 99999999\n");
    await appendFile(path, Buffer.alloc(64 << 20));
    assert.equal(await keep(folder, "two", 0), 0, "more than the file may have");
  }));

test("what belongs to other files is removed", () =>
  inFolder(async (folder) => {
    await keep(folder, "one", 1);
    const files = new PartialFiles(folder, async () => "one");
    await files.keepOnly([file.sha256]);
    assert.equal((await readdir(folder)).length, 2);
    await files.keepOnly([]);
    assert.deepEqual(await readdir(folder), []);
  }));
