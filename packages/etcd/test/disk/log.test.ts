import assert from "node:assert/strict";
import { constants } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { append, openDirectory, scratch } from "./scratch.ts";

describe("log", () => {
  test("what was appended comes back in order, over many segments", async () => {
    await using dir = await scratch();
    const expected: string[] = [];
    for (let round = 0; round < 3; round++) {
      await using opened = await openDirectory(dir.path);
      assert.deepEqual(opened.records, expected);
      const texts = Array.from({ length: 60 }, (_, place) => `${round}/${place} ${"x".repeat(place * 5)}`);
      const indexes = await Promise.all(texts.map((text) => append(opened.directory, text)));
      // One at a time too: each in a frame of its own.
      for (const text of ["a", "b"]) {
        texts.push(text);
        indexes.push(await append(opened.directory, text));
      }
      assert.deepEqual(
        indexes,
        texts.map((_, place) => round * texts.length + place + 1),
      );
      texts.forEach((text, place) => expected.push(`${indexes[place]}:${text}`));
    }
  });

  test("a record larger than a segment gets one that is large enough", async () => {
    await using dir = await scratch();
    const large = "y".repeat(100_000);
    {
      await using opened = await openDirectory(dir.path);
      await append(opened.directory, "before");
      await append(opened.directory, large);
      await append(opened.directory, "after");
    }
    await using again = await openDirectory(dir.path);
    assert.deepEqual(again.records, ["1:before", `2:${large}`, "3:after"]);
  });

  test("a snapshot takes the place of the segments before it", async () => {
    await using dir = await scratch();
    {
      await using opened = await openDirectory(dir.path);
      for (let place = 0; place < 20; place++) await append(opened.directory, "z".repeat(1000));
      const before = (await readdir(join(dir.path, "log"))).length;
      await opened.directory.snapshot(15, [Buffer.from("one"), Buffer.from("two")]);
      assert.ok((await readdir(join(dir.path, "log"))).length < before);
      await opened.directory.snapshot(18, [Buffer.from("three")]);
    }
    await using again = await openDirectory(dir.path);
    assert.deepEqual(again.chunks, ["three"]);
    assert.deepEqual(
      again.records.map((item) => item.split(":")[0]),
      ["19", "20"],
    );
    assert.equal(await append(again.directory, "next"), 21);
    const snapshots = (await readdir(dir.path)).filter((name) => name.endsWith(".snapshot"));
    assert.equal(snapshots.length, 1);
  });

  test("nothing is taken after it was closed, and what waited is written", async () => {
    await using dir = await scratch();
    const opened = await openDirectory(dir.path);
    const waiting = append(opened.directory, "waiting");
    await opened[Symbol.asyncDispose]();
    assert.equal(await waiting, 1);
    await assert.rejects(append(opened.directory, "late"), { code: "CLOSED" });
    await using again = await openDirectory(dir.path);
    assert.deepEqual(again.records, ["1:waiting"]);
  });

  test("one directory has one user, and keeps its ids", async () => {
    await using dir = await scratch();
    let ids: readonly bigint[];
    {
      await using opened = await openDirectory(dir.path);
      ids = [opened.directory.clusterId, opened.directory.memberId];
      await assert.rejects(openDirectory(dir.path), { code: "STORE_IN_USE" });
    }
    await using again = await openDirectory(dir.path, { randomId: () => 99n });
    assert.deepEqual([again.directory.clusterId, again.directory.memberId], ids);
    await access(join(dir.path, "format.json"), constants.R_OK);
  });
});
