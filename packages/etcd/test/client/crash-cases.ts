import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EtcdClient } from "../../src/client/index.ts";
import { eventually, failsWith, PATIENCE_MS, sleep } from "./expect.ts";
import { keep } from "./lease-cases.ts";
import type { TestStore } from "./test-store.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import { Follower } from "./watch-cases.ts";

/** What may go wrong with the store itself. Each case has a store of its own. */
export function crashCases(start: () => Promise<TestStore>): void {
  const clientOf = (store: TestStore, endpoint = `127.0.0.1:${store.port}`) =>
    new EtcdClient({
      ...store.access,
      endpoints: [endpoint],
      deadlineMs: PATIENCE_MS,
      retry: { attempts: 30 },
    });

  describe("a crashing store", { concurrency: true }, () => {
    it("makes a watch miss or repeat nothing", async () => {
      await using store = await start();
      await using client = clientOf(store);
      const { revision } = await client.put("c/start", "");
      await using follower = new Follower(client, { prefix: "c/" }, { startRevision: revision + 1 });
      const expected: string[] = [];
      for (let crash = 0; crash < 3; crash++) {
        for (let i = 0; i < 20; i++) {
          const value = `${crash}.${i}`;
          expected.push(`put c/k=${value}@${(await client.put("c/k", value)).revision}`);
        }
        await store.kill();
        await sleep(50);
        await store.restart();
      }
      expected.push(`delete c/k@${(await client.delete({ key: "c/k" }, { idempotent: true })).revision}`);
      await eventually("all events", () => follower.told.length >= expected.length);
      await sleep(100);
      assert.deepEqual(follower.told, expected);
    });

    it("keeps leases, whose keeper goes on with them", async () => {
      await using store = await start();
      await using client = clientOf(store);
      const { told, keeper, granted, count } = keep(client);
      await using _ = keeper;
      const lease = await granted();
      await client.put("c/leased", "1", { lease });
      await store.kill();
      await eventually("the refusal is told", () =>
        told.some((event) => event.type === "unreachable" && event.reason === "refused"),
      );
      await store.restart();
      const renewed = count("renewed");
      await eventually("it is renewed", () => count("renewed") > renewed);
      assert.equal(keeper.lease, lease);
      assert.equal((await client.get("c/leased"))?.lease, lease);
    });

    it("is told by a watch whose history was compacted meanwhile", async () => {
      await using store = await start();
      await using proxy = await TcpProxy.start(store.port);
      await using client = clientOf(store);
      await using cut = clientOf(store, proxy.endpoint);
      const { revision } = await client.put("c/old", "0");
      await using follower = new Follower(cut, { key: "c/old" }, { startRevision: revision });
      await eventually("the first event", () => follower.told.length === 1);
      await proxy.refuse();
      for (let i = 0; i < 5; i++) await client.put("c/old", String(i));
      await client.compact(revision + 4);
      await proxy.accept();
      const error = await failsWith("COMPACTED", follower.ended);
      assert.equal(error.compactRevision, revision + 4);
      await failsWith("COMPACTED", client.get("c/old", { revision: revision + 1 }));
      await failsWith("COMPACTED", client.compact(revision + 1));
      await using again = new Follower(client, { key: "c/old" }, { startRevision: revision + 4 });
      await eventually("the rest", () => again.told.length === 2);
      await client.compact(revision + 5);
      await client.put("c/old", "live");
      await eventually("what comes after a compaction", () => again.told.length === 3);
    });

    it("is told by a watch when another store answers", async () => {
      await using first = await start();
      await using second = await start();
      await using proxy = await TcpProxy.start(first.port);
      await using client = clientOf(first, proxy.endpoint);
      await using follower = new Follower(client, { key: "c/replaced" }, { progressNotify: true });
      await eventually("the watch", () => follower.batches.length === 1);
      proxy.redirect(second.port);
      proxy.cut();
      await failsWith("STORE_REPLACED", follower.ended);
    });
  });
}
