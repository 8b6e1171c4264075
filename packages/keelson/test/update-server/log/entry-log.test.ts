import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SimulatedDisk } from "../../../../etcd/test/disk/simulated-disk.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { EntryLog } from "../../../src/update-server/log/entry-log.ts";
import type { EntryLogOptions } from "../../../src/update-server/log/entry-log.ts";
import { eventually } from "../../eventually.ts";
import { Lines } from "./lines.ts";

async function scratch(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "keelson-entries-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

interface Opened extends AsyncDisposable {
  readonly log: EntryLog;
  readonly state: Lines;
  /** Makes an entry, applies it, and writes it. */
  readonly add: (...entries: string[]) => Promise<void>;
}

async function opened(path: string, options: Partial<EntryLogOptions> = {}): Promise<Opened> {
  const state = new Lines();
  const log = await EntryLog.open({ path, folds: [state], segmentBytes: 4096, ...options });
  const add = (...entries: string[]): Promise<void> => {
    for (const entry of entries) state.apply(entry);
    return log.append(state.kind, entries);
  };
  return { log, state, add, [Symbol.asyncDispose]: () => log[Symbol.asyncDispose]() };
}

const numbered = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, place) => `{"n":${from + place}}`);

const segments = async (path: string): Promise<string[]> =>
  (await readdir(join(path, "log"))).toSorted().map((name) => join(path, "log", name));

/** Changes a byte. */
async function spoil(path: string, at: number): Promise<void> {
  await using file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.of((byte[0] ?? 0) ^ 0xff), 0, 1, at);
}

describe("an entry log", () => {
  test("gives back what was written, in order and by kind, over segments", async () => {
    await using folder = await scratch();
    {
      const [one, two] = [new Lines(1), new Lines(2)];
      await using log = await EntryLog.open({ path: folder.path, folds: [one, two], segmentBytes: 4096 });
      await Promise.all([
        ...numbered(500).map((entry) => log.append(1, [entry])),
        log.append(2, ["a", "b"]),
        log.append(2, ["ü"]),
      ]);
    }
    const [one, two] = [new Lines(1), new Lines(2)];
    await using _log = await EntryLog.open({ path: folder.path, folds: [one, two], segmentBytes: 4096 });
    assert.deepEqual(one.lines, numbered(500));
    assert.deepEqual(two.lines, ["a", "b", "ü"]);
    assert.ok((await segments(folder.path)).length > 1);
  });

  test("a crowd of entries does not wait, nor does the end", async () => {
    await using folder = await scratch();
    {
      await using it = await opened(folder.path, { lingerMs: 3_600_000 });
      await Promise.all(numbered(64).map((entry) => it.add(entry)));
      const last = it.add(...numbered(3, 64));
      assert.ok(it.log.waitingBytes > 0);
      await it.log.snapshot();
      await last;
      void it.add(`{"n":67}`);
    }
    await using again = await opened(folder.path);
    assert.deepEqual(again.state.lines, numbered(68));
  });

  test("entries of a kind that nobody knows stop it", async () => {
    await using folder = await scratch();
    {
      await using log = await EntryLog.open({ path: folder.path, folds: [new Lines(7)] });
      await log.append(7, ["x"]);
    }
    await assert.rejects(opened(folder.path), { code: "KEEL-911", message: /kind 7 \(record 1\)/ });
  });

  test("a second holder is refused until the first is gone", async () => {
    await using folder = await scratch();
    {
      await using _first = await opened(folder.path);
      await assert.rejects(opened(folder.path), { code: "KEEL-910" });
    }
    await using again = await opened(folder.path);
    assert.deepEqual(again.state.lines, []);
  });

  test("a snapshot replaces the segments before it, also while entries come", async () => {
    await using folder = await scratch();
    {
      await using it = await opened(folder.path);
      for (let round = 0; round < 20; round++)
        await Promise.all(numbered(50, round * 50).map((entry) => it.add(entry)));
      const before = (await segments(folder.path)).length;
      const late = numbered(50, 1000).map((entry) => it.add(entry));
      const taken = it.log.snapshot();
      late.push(...numbered(50, 1050).map((entry) => it.add(entry)));
      await Promise.all([taken, ...late]);
      assert.ok((await segments(folder.path)).length < before);
    }
    await using again = await opened(folder.path);
    assert.deepEqual(again.state.lines, numbered(1100));
  });

  test("takes snapshots by itself", async () => {
    await using folder = await scratch();
    {
      await using it = await opened(folder.path, { snapshotBytes: 2000 });
      for (let round = 0; round < 20; round++) await it.add(...numbered(40, round * 40));
      await eventually("old segments are gone", async () => {
        const names = await readdir(folder.path);
        return names.some((name) => name.endsWith(".snapshot")) && (await segments(folder.path)).length < 4;
      });
    }
    await using again = await opened(folder.path);
    assert.deepEqual(again.state.lines, numbered(800));
  });

  test("a torn end is cut off, and the log goes on behind it", async () => {
    await using folder = await scratch();
    {
      await using it = await opened(folder.path);
      for (const entry of numbered(3)) await it.add(entry);
    }
    const [first = ""] = await segments(folder.path);
    // The last of three frames of 64 bytes header + 24 + 5 + 7, aligned to eight.
    await spoil(first, 64 + 2 * 40 + 30);
    {
      await using it = await opened(folder.path);
      assert.deepEqual(it.state.lines, numbered(2));
      assert.equal(it.log.cutOff?.offset, 64 + 2 * 40);
      await it.add(`{"n":2}`);
    }
    await using again = await opened(folder.path);
    assert.deepEqual(again.state.lines, numbered(3));
  });

  test("damage in the middle stops it with the place, and changes nothing", async () => {
    await using folder = await scratch();
    {
      await using it = await opened(folder.path);
      for (const entry of numbered(3)) await it.add(entry);
    }
    const [first = ""] = await segments(folder.path);
    await spoil(first, 64 + 40 + 30);
    const before = (await stat(first)).mtimeMs;
    for (let attempt = 0; attempt < 2; attempt++)
      await assert.rejects(opened(folder.path), {
        code: "KEEL-911",
        message: /0000000000000001\.log is damaged at byte 104/,
      });
    assert.equal((await stat(first)).mtimeMs, before);
  });

  test("a damaged snapshot stops it", async () => {
    await using folder = await scratch();
    {
      await using it = await opened(folder.path);
      await it.add(...numbered(10));
      await it.log.snapshot();
    }
    const name = (await readdir(folder.path)).find((name) => name.endsWith(".snapshot")) ?? "";
    await spoil(join(folder.path, name), 45);
    await assert.rejects(opened(folder.path), {
      code: "KEEL-911",
      message: /snapshot is damaged at byte 32/,
    });
  });
});

describe("a full disk", () => {
  test("refuses clearly, keeps what was made, and goes on in order when there is room", async () => {
    await using folder = await scratch();
    const disk = new SimulatedDisk(() => 0.5);
    const heard: (string | undefined)[] = [];
    const options = {
      disk,
      retryMs: 5,
      onFailure: (failure?: { code: string }) => heard.push(failure?.code),
    };
    {
      await using it = await opened(folder.path, options);
      await it.add(...numbered(10));
      disk.faults = { error: 1, short: 0 };
      // The first is with the disk when it refuses, the others wait behind it.
      const refused = numbered(5, 10).map((entry) => it.add(entry));
      for (const { status } of await Promise.allSettled(refused)) assert.equal(status, "rejected");
      assert.equal(it.log.isWritable, false);
      assert.equal(it.log.failure?.code, "KEEL-912");
      assert.throws(() => it.log.append(1, ["not taken"]), { code: "KEEL-912" });
      await assert.rejects(it.log.settled(), { code: "KEEL-912" });
      await assert.rejects(it.log.snapshot(), { code: "KEEL-912" });
      disk.faults = { error: 0, short: 0 };
      await eventually("the disk takes writes again", () => it.log.isWritable);
      await it.add(...numbered(5, 15));
      assert.deepEqual(heard, ["KEEL-912", undefined]);
      await it.log.snapshot();
      await it.add(...numbered(5, 20));
    }
    await using again = await opened(folder.path, options);
    assert.deepEqual(again.state.lines, numbered(25));
  });

  test("what waited for others is refused with the rest, and nothing changes places", async () => {
    await using folder = await scratch();
    const disk = new SimulatedDisk(() => 0.5);
    {
      await using it = await opened(folder.path, { disk, retryMs: 5, lingerMs: 3_600_000 });
      disk.faults = { error: 1, short: 0 };
      const refused = numbered(64).map((entry) => it.add(entry));
      refused.push(it.add(`{"n":64}`));
      for (const { status } of await Promise.allSettled(refused)) assert.equal(status, "rejected");
      disk.faults = { error: 0, short: 0 };
      await eventually("the disk takes writes again", () => it.log.isWritable);
      const more = it.add(`{"n":65}`);
      await it.log.snapshot();
      await more;
    }
    await using again = await opened(folder.path, { disk });
    assert.deepEqual(again.state.lines, numbered(66));
  });

  test("a snapshot that finds no room leaves the log as good as it was", async () => {
    await using folder = await scratch();
    const disk = new SimulatedDisk(() => 0.5);
    {
      await using it = await opened(folder.path, { disk });
      await it.add(...numbered(10));
      disk.capacity = 0;
      await assert.rejects(it.log.snapshot(), { code: "KEEL-912" });
      disk.capacity = Infinity;
      await it.add(...numbered(10, 10));
    }
    await using again = await opened(folder.path, { disk });
    assert.deepEqual(again.state.lines, numbered(20));
  });
});

describe("a writer that is killed", () => {
  const seed = Number(process.env["KEELSON_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  test(`has lost nothing that it told of, and nothing is there twice (KEELSON_SEED=${seed})`, async () => {
    await using folder = await scratch();
    const random = seededRandom(seed);
    let told = -1;
    for (let round = 0; round < 4; round++) {
      const argv = ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "writer-main.ts")];
      const child = spawn(process.execPath, [...argv, folder.path], { stdio: ["ignore", "pipe", "inherit"] });
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
      await once(child.stdout, "data");
      await sleep(random.next() * 150);
      const ended = once(child, "close");
      child.kill("SIGKILL");
      await ended;
      const numbers = text.slice(0, text.lastIndexOf("\n")).split("\n").map(Number);
      assert.deepEqual(
        numbers,
        numbers.map((_, place) => (numbers[0] ?? 0) + place),
        "they are told of in order",
      );
      told = Math.max(told, ...numbers);
      await using it = await opened(folder.path, { segmentBytes: 16 << 10 });
      const found = it.state.lines.map((line) => (JSON.parse(line) as { n: number }).n);
      assert.deepEqual(
        found,
        found.map((_, place) => place),
      );
      assert.ok(found.length > told, `${found.length} entries are there, ${told} was told of`);
    }
  });
});
