// The log on a disk that fails, tears and loses power at any call, again and again: whatever was acknowledged is
// there afterwards, in its place, and nothing that nobody wrote. KEELSON_TEST_SEED=N replays one storm,
// KEELSON_STORMS=N makes N of them, 25 at the least.
import assert from "node:assert/strict";
import { test } from "node:test";
import { seeded } from "../seeded.ts";
import { append, openDirectory, scratch, SEGMENT_BYTES, type Opened } from "./scratch.ts";
import { SimulatedDisk } from "./simulated-disk.ts";

const STORMS = Math.max(25, Number(process.env["KEELSON_STORMS"] ?? 0));
const LIVES = 6;

test("nothing acknowledged is lost, whatever the disk does", async (t) => {
  const given = process.env["KEELSON_TEST_SEED"];
  const first = Math.floor(Math.random() * 2 ** 31);
  const seeds = given === undefined ? Array.from({ length: STORMS }, (_, n) => first + n) : [Number(given)];
  const seen = { acknowledged: 0, refused: 0, torn: 0 };
  for (const seed of seeds) {
    try {
      await storm(seed, seen);
    } catch (error) {
      t.diagnostic(`KEELSON_TEST_SEED=${seed}`);
      throw error;
    }
  }
  t.diagnostic(JSON.stringify({ first, ...seen }));
  if (given === undefined) for (const count of Object.values(seen)) assert.ok(count > 0);
});

interface Seen {
  acknowledged: number;
  refused: number;
  torn: number;
}

/** What the log must hold: its records by index, those that may be there, and what the last snapshot says. */
interface Expected {
  readonly acknowledged: Map<number, string>;
  readonly open: Set<string>;
}

async function storm(seed: number, seen: Seen): Promise<void> {
  const random = seeded(seed);
  await using dir = await scratch();
  const disk = new SimulatedDisk(random);
  const expected: Expected = { acknowledged: new Map(), open: new Set() };
  for (let life = 0; life < LIVES; life++) {
    await live({ path: dir.path, disk, random, life }, expected, seen);
    if (disk.isDown || random() < 0.5) disk.restart();
    disk.faults = { error: 0, short: 0 };
    disk.callsUntilCrash = Infinity;
    await check(dir.path, disk, { expected, seen });
  }
}

async function live(
  { path, disk, random, life }: { path: string; disk: SimulatedDisk; random: () => number; life: number },
  expected: Expected,
  seen: Seen,
): Promise<void> {
  disk.callsUntilCrash = random() < 0.7 ? 15 + Math.floor(random() * 90) : Infinity;
  const opened = await openDirectory(path, { disk, retryMs: 1 }).catch(() => undefined);
  if (opened === undefined) return;
  disk.faults = { error: random() < 0.5 ? 0 : random() * 0.05, short: random() * 0.3 };
  for (let round = 0; round < 12; round++) {
    const texts = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, n) => {
      return `${life}/${round}/${n} ${"x".repeat(Math.floor(random() * SEGMENT_BYTES * 0.6))}`;
    });
    for (const text of texts) expected.open.add(text);
    const outcomes = await Promise.allSettled(texts.map((text) => append(opened.directory, text)));
    outcomes.forEach((outcome, place) => {
      const text = texts[place] as string;
      if (outcome.status === "fulfilled") {
        expected.acknowledged.set(outcome.value, text);
        seen.acknowledged++;
      } else {
        seen.refused++;
        // Refused before anything was written: it must never appear.
        if ((outcome.reason as { code: string }).code === "STORE_IO") expected.open.delete(text);
      }
    });
    if (random() < 0.2) {
      const { lastIndex } = opened.directory.log;
      await opened.directory.snapshot(lastIndex, [Buffer.from(`all to ${lastIndex}`)]).catch(() => undefined);
    }
    for (let tries = 0; tries < 10 && !disk.isDown && opened.directory.log.failure !== undefined; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  await endBadly(opened, { random, disk, text: `${life}/end` }, expected);
  try {
    await opened[Symbol.asyncDispose]();
  } catch {
    // A dead disk cannot even close a file.
  }
}

/** Now and then the process ends right after a write that failed. */
async function endBadly(
  { directory }: Opened,
  { random, disk, text }: { random: () => number; disk: SimulatedDisk; text: string },
  { open }: Expected,
): Promise<void> {
  if (random() < 0.5) return;
  disk.faults = { error: 1, short: 0 };
  open.add(text);
  await append(directory, text).catch((error: { code: string }) => {
    if (error.code === "STORE_IO") open.delete(text);
  });
}

async function check(
  path: string,
  disk: SimulatedDisk,
  { expected, seen }: { expected: Expected; seen: Seen },
): Promise<void> {
  await using opened = await openDirectory(path, { disk });
  if (opened.directory.cutOff !== undefined) seen.torn++;
  const snapshot = Number(/^all to (\d+)$/.exec(opened.chunks[0] ?? "all to 0")?.[1]);
  const found = new Map(
    opened.records.map((item) => [Number.parseInt(item, 10), item.slice(item.indexOf(":") + 1)]),
  );
  for (const [index, text] of expected.acknowledged) {
    if (index > snapshot) assert.equal(found.get(index), text, `record ${index} was acknowledged`);
  }
  let next = snapshot + 1;
  for (const [index, text] of found) {
    assert.equal(index, next++, "records follow one another");
    if (expected.acknowledged.has(index)) continue;
    assert.ok(expected.open.has(text), `record ${index} is nothing that was written`);
    // From now on it is there for good.
    expected.acknowledged.set(index, text);
  }
  assert.equal(opened.directory.log.lastIndex, next - 1);
  for (const index of expected.acknowledged.keys()) assert.ok(index < next, `record ${index} is gone`);
}
