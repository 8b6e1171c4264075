// The store's history, read again over the network: up to now, compacted in between, and on from there.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EtcdClient } from "@keelson/etcd/client";
import { EtcdServer } from "@keelson/etcd/server";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { keys } from "../../src/model/keys.ts";
import { EtcdStore } from "../../src/registry/etcd-store.ts";
import { readHistory } from "../../src/registry/history.ts";

const around = { clock: systemClock, random: systemRandom, log: silentLog };

test("the history up to now, then what happens; behind a compaction it begins there", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "keelson-history-"));
  const server = await EtcdServer.start({ dataDir, listen: [{ host: "127.0.0.1", port: 0 }] });
  const endpoints = [`http://127.0.0.1:${server.addresses[0]?.port ?? 0}`];
  const store = new EtcdStore({ endpoints, ...around });
  const client = new EtcdClient({ endpoints, ...around });
  const say = (words: string): Promise<{ revision: number }> =>
    store.txn({ compare: [], write: [{ put: keys.alarm("x"), value: words }] });
  const told = async (mostRevisions: number): Promise<string[]> => {
    const ending = new AbortController();
    const words: string[] = [];
    for await (const batch of readHistory(store, { mostRevisions, signal: ending.signal })) {
      for (const { before, after } of batch.steps)
        words.push(`${before.alarms.get("x") ?? ""}>${after.alarms.get("x") ?? ""}`);
      if (batch.isCurrent && batch.steps.length === 0) await say("live");
      if (words.at(-1)?.endsWith(">live") === true && batch.isCurrent) break;
    }
    ending.abort();
    return words;
  };
  try {
    for (const words of ["a", "b"]) await say(words);
    assert.deepEqual(await told(1000), [">a", "a>b", "b>live"]);
    await say("c");
    const { revision } = await say("d");
    await client.compact(revision);
    await say("e");
    assert.deepEqual(await told(1000), ["d>e", "e>live"]);
    assert.deepEqual(await told(0), ["live>live"]);
  } finally {
    await client[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true });
  }
});
