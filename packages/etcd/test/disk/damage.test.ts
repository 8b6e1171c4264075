// What a crash can leave is repaired; what it cannot leave is reported and nothing is touched.
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { append, openDirectory, scratch } from "./scratch.ts";

const RECORDS = ["first", "second", "third, which is the last one"];
const ALL = RECORDS.map((text, place) => `${place + 1}:${text}`);

async function fill(path: string): Promise<string> {
  await using opened = await openDirectory(path, { segmentBytes: 2048 });
  for (const text of RECORDS) await append(opened.directory, text);
  return join(path, "log", "0000000000000001.log");
}

/** Where each frame begins, found by its magic. */
function frames(bytes: Buffer): readonly number[] {
  const places: number[] = [];
  for (let at = 64; at < bytes.length; at += 8)
    if (bytes.toString("latin1", at, at + 4) === "KEEL") places.push(at);
  return places;
}

describe("damage", () => {
  test("any flipped byte of the last record is cut off, and the log goes on from there", async () => {
    await using dir = await scratch();
    const file = await fill(dir.path);
    const intact = await readFile(file);
    const last = frames(intact).at(-1) as number;
    const end = last + 24 + 5 + (RECORDS[2] as string).length;
    for (let at = last; at < end; at++) {
      const bytes = Buffer.from(intact);
      bytes[at] = (bytes[at] as number) ^ 0x41;
      await writeFile(file, bytes);
      await using opened = await openDirectory(dir.path);
      assert.deepEqual(opened.records, ALL.slice(0, 2), `byte ${at}`);
      assert.deepEqual(opened.directory.cutOff, { path: file, offset: last });
      assert.equal(await append(opened.directory, "new"), 3);
      await opened[Symbol.asyncDispose]();
      await using again = await openDirectory(dir.path);
      assert.deepEqual(again.records, [...ALL.slice(0, 2), "3:new"]);
      assert.equal(again.directory.cutOff, undefined);
    }
  });

  test("a last record of which only a part was written is cut off", async () => {
    await using dir = await scratch();
    const file = await fill(dir.path);
    const intact = await readFile(file);
    const last = frames(intact).at(-1) as number;
    for (let kept = 1; kept < 24 + 5 + 10; kept++) {
      const bytes = Buffer.from(intact);
      bytes.fill(0, last + kept, last + 200);
      await writeFile(file, bytes);
      await using opened = await openDirectory(dir.path);
      assert.deepEqual(opened.records, ALL.slice(0, 2), `${kept} bytes`);
    }
  });

  test("a flipped byte before the last record stops the start, with the place, and changes nothing", async () => {
    await using dir = await scratch();
    const file = await fill(dir.path);
    const intact = await readFile(file);
    const [first, , third] = frames(intact) as [number, number, number];
    for (let at = first; at < third; at++) {
      const bytes = Buffer.from(intact);
      bytes[at] = (bytes[at] as number) ^ 0x10;
      // Padding carries nothing.
      const isPadding = intact[at] === 0 && (await opensWhole(dir.path, file, bytes));
      if (isPadding) continue;
      await writeFile(file, bytes);
      await assert.rejects(openDirectory(dir.path), (error: Error & { code: string }) => {
        assert.equal(error.code, "STORE_DAMAGED", `byte ${at}`);
        assert.match(error.message, /0000000000000001\.log is damaged at byte \d+/);
        return true;
      });
      assert.deepEqual(await readFile(file), bytes);
    }
  });

  test("a missing segment, a wrong header and a damaged snapshot stop the start", async () => {
    await using dir = await scratch();
    {
      await using opened = await openDirectory(dir.path);
      for (let place = 0; place < 20; place++) await append(opened.directory, "z".repeat(1000));
    }
    const log = join(dir.path, "log");
    const [first, second] = (await readdir(log)).sort() as [string, string];
    const bytes = await readFile(join(log, second));
    await rm(join(log, second));
    await assert.rejects(openDirectory(dir.path), { code: "STORE_DAMAGED", message: /segment 2 is missing/ });
    await writeFile(join(log, second), Buffer.alloc(bytes.length, 1));
    await assert.rejects(openDirectory(dir.path), { code: "STORE_DAMAGED" });
    await writeFile(join(log, second), bytes);
    await rm(join(log, first));
    await assert.rejects(openDirectory(dir.path), {
      code: "STORE_DAMAGED",
      message: /records 1 to \d+ are missing/,
    });
    const snapshot = join(dir.path, "0000000000000020.snapshot");
    await writeFile(snapshot, "not a snapshot");
    await assert.rejects(openDirectory(dir.path), {
      code: "STORE_DAMAGED",
      message: /beginning of a snapshot/,
    });
  });

  test("any flipped byte of a snapshot stops the start", async () => {
    await using dir = await scratch();
    {
      await using opened = await openDirectory(dir.path);
      await append(opened.directory, "only");
      await opened.directory.snapshot(1, [Buffer.from("chunk one"), Buffer.from("chunk two")]);
    }
    const file = join(dir.path, "0000000000000001.snapshot");
    const intact = await readFile(file);
    for (let at = 0; at < intact.length; at++) {
      const bytes = Buffer.from(intact);
      bytes[at] = (bytes[at] as number) ^ 0x04;
      await writeFile(file, bytes);
      await assert.rejects(openDirectory(dir.path), { code: "STORE_DAMAGED" }, `byte ${at}`);
    }
    await writeFile(file, intact.subarray(0, -8));
    await assert.rejects(openDirectory(dir.path), { code: "STORE_DAMAGED", message: /its end is missing/ });
  });

  test("a later format is refused by its number", async () => {
    await using dir = await scratch();
    await (await openDirectory(dir.path))[Symbol.asyncDispose]();
    await writeFile(join(dir.path, "format.json"), '{"format": 2}');
    await assert.rejects(openDirectory(dir.path), {
      code: "STORE_IO",
      message: /has format 2, this version reads 1/,
    });
    await rm(join(dir.path, "format.json"));
    await assert.rejects(openDirectory(dir.path), { code: "STORE_DAMAGED", message: /it is missing/ });
  });
});

/** Whether the directory opens with all records although the file was changed. */
async function opensWhole(path: string, file: string, bytes: Buffer): Promise<boolean> {
  await writeFile(file, bytes);
  try {
    await using opened = await openDirectory(path);
    return opened.records.length === RECORDS.length;
  } catch {
    return false;
  }
}
