import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, test } from "node:test";
import { mergeLive, mergeOrdered } from "../../src/cli/journal-merge.ts";

interface Entry {
  readonly realtimeUsec: number;
}

async function* entries(...times: number[]): AsyncGenerator<Entry> {
  for (const realtimeUsec of times) yield { realtimeUsec };
}

async function timesOf(merged: AsyncIterable<Entry>): Promise<number[]> {
  const times: number[] = [];
  for await (const { realtimeUsec } of merged) times.push(realtimeUsec);
  return times;
}

describe("journals merged", () => {
  test("those that end, in the order of time", async () => {
    assert.deepEqual(
      await timesOf(mergeOrdered([entries(1, 4, 5), entries(), entries(2, 3, 6)])),
      [1, 2, 3, 4, 5, 6],
    );
  });

  test("those that go on: what comes within the window is put in order", async () => {
    assert.deepEqual(await timesOf(mergeLive([entries(2, 4), entries(1, 3)], 1)), [1, 2, 3, 4]);
    assert.deepEqual(await timesOf(mergeLive([], 1)), []);
  });

  test("those that come later are read too, also when the first have ended", async () => {
    async function* sources(): AsyncGenerator<AsyncIterable<Entry>> {
      yield entries(1);
      await sleep(5);
      yield entries(2, 3);
    }
    assert.deepEqual(await timesOf(mergeLive(sources(), 1)), [1, 2, 3]);
  });

  test("a source that fails ends the whole, whether it is a journal or where journals come from", async () => {
    const broken = (): AsyncIterable<never> => ({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("gone")) }),
    });
    await assert.rejects(timesOf(mergeLive([entries(1), broken()], 1)), /gone/);
    await assert.rejects(timesOf(mergeLive(broken(), 1)), /gone/);
  });
});
