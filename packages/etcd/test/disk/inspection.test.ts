import assert from "node:assert/strict";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inspectDirectory, type Inspection } from "../../src/disk/inspection.ts";
import { append, openDirectory, scratch } from "./scratch.ts";

const nothing = { snapshot: () => undefined, record: () => undefined };

/** Four segments with records, and a snapshot of the first few. */
async function fill(path: string): Promise<readonly string[]> {
  const opened = await openDirectory(path);
  await append(opened.directory, "in the snapshot");
  await opened.directory.snapshot(1, [Buffer.from("one")]);
  for (let place = 0; place < 14; place++) await append(opened.directory, `${place} ${"z".repeat(1000)}`);
  await opened[Symbol.asyncDispose]();
  const names = await readdir(join(path, "log"));
  return names.toSorted().map((name) => join(path, "log", name));
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] as number) ^ 0x20;
  await writeFile(path, bytes);
}

/** Names, sizes and times of everything: what an inspection must not change. */
async function fingerprint(path: string): Promise<unknown> {
  const names = (await readdir(path, { recursive: true })).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs } = await stat(join(path, name));
      return [name, size, name === "log" ? 0 : mtimeMs];
    }),
  );
}

async function inspect(path: string): Promise<Inspection> {
  const before = await fingerprint(path);
  const inspection = await inspectDirectory({ path }, nothing);
  assert.deepEqual(await fingerprint(path), before, "an inspection changes nothing");
  return inspection;
}

describe("inspection", () => {
  test("tells what an intact directory holds", async () => {
    await using dir = await scratch();
    const files = await fill(dir.path);
    const { damage, snapshots, segments, lastIndex, cutOff } = await inspect(dir.path);
    assert.deepEqual(damage, []);
    assert.equal(cutOff, undefined);
    assert.equal(lastIndex, 15);
    assert.deepEqual(
      snapshots.map(({ index, bytes }) => [index, bytes]),
      [[1, 3]],
    );
    assert.deepEqual(
      segments.map(({ path }) => path),
      files,
    );
    assert.equal(
      segments.reduce((sum, { records }) => sum + records, 0),
      15,
    );
  });

  test("tells every damage with its place, in all files at once", async () => {
    await using dir = await scratch();
    const [first = "", second = "", third = ""] = await fill(dir.path);
    await flip(first, 70);
    await flip(second, 3);
    await flip(third, 1500);
    await flip(join(dir.path, "0000000000000001.snapshot"), 34);
    const { damage } = await inspect(dir.path);
    assert.deepEqual(
      damage.map(({ path }) => path).toSorted(),
      [join(dir.path, "0000000000000001.snapshot"), first, second, third].toSorted(),
    );
    for (const { offset, what } of damage) assert.ok(offset >= 0 && what !== "");
    assert.equal(damage.find(({ path }) => path === first)?.offset, 64);
  });

  test("a torn last write is no damage, and is left where it is", async () => {
    await using dir = await scratch();
    const files = await fill(dir.path);
    const { segments } = await inspect(dir.path);
    const last = segments.findLast(({ records }) => records > 0);
    const path = last?.path ?? "";
    const bytes = await readFile(path);
    const frame = bytes.lastIndexOf("KEEL");
    bytes.fill(0, frame + 40);
    await writeFile(path, bytes);
    const { damage, cutOff, lastIndex } = await inspect(dir.path);
    assert.deepEqual(damage, []);
    assert.deepEqual(cutOff, { path, offset: frame });
    assert.equal(lastIndex, 14);
    assert.ok(files.includes(path));
  });

  test("what is no store, in use or not there is refused, and no file is made", async () => {
    await using dir = await scratch();
    await assert.rejects(inspectDirectory({ path: dir.path }, nothing), {
      code: "STORE_IO",
      message: /holds no store/,
    });
    assert.deepEqual(await readdir(dir.path), []);
    const missing = join(dir.path, "missing");
    await assert.rejects(inspectDirectory({ path: missing }, nothing), { code: "STORE_IO" });
    await using opened = await openDirectory(dir.path);
    await assert.rejects(inspectDirectory({ path: dir.path }, nothing), { code: "STORE_IN_USE" });
    await opened[Symbol.asyncDispose]();
    await rm(join(dir.path, "lock"));
    assert.deepEqual((await inspectDirectory({ path: dir.path }, nothing)).damage, []);
  });

  test("a log in a directory of its own belongs to one store", async () => {
    await using dir = await scratch();
    await using other = await scratch();
    const logPath = join(other.path, "wal");
    {
      await using opened = await openDirectory(dir.path, { logPath });
      await append(opened.directory, "apart");
    }
    assert.equal((await inspectDirectory({ path: dir.path, logPath }, nothing)).lastIndex, 1);
    await assert.rejects(openDirectory(dir.path), { code: "STORE_IO", message: /directory of its own/ });
    const stranger = join(other.path, "stranger");
    await assert.rejects(openDirectory(stranger, { logPath, randomId: () => 77n }), {
      code: "STORE_DAMAGED",
    });
    {
      await using opened = await openDirectory(dir.path, { logPath });
      assert.deepEqual(opened.records, ["1:apart"]);
    }
    await using inside = await scratch();
    await (await openDirectory(inside.path))[Symbol.asyncDispose]();
    await assert.rejects(openDirectory(inside.path, { logPath }), {
      code: "STORE_IO",
      message: /lies in it/,
    });
  });
});
