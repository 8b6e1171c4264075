import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EtcdClient } from "../../src/client/index.ts";
import type { EtcdClientOptions } from "../../src/client/index.ts";
import { eventually, failsWith, sleep } from "./expect.ts";
import { keep } from "./lease-cases.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import { freePort } from "./test-store.ts";
import type { TestStore } from "./test-store.ts";
import { Follower } from "./watch-cases.ts";

/** What may go wrong between the client and a store that keeps running. */
export function networkFaultCases(store: () => TestStore, client: () => EtcdClient): void {
  const near = (endpoint: string, options: Partial<EtcdClientOptions> = {}) =>
    new EtcdClient({ ...store().access, endpoints: [endpoint], retry: { attempts: 1 }, ...options });

  describe("a broken network", { concurrency: true }, () => {
    it("ends calls on time when nothing is answered, and is forgotten soon after it heals", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint);
      await cut.put("f/silent", "1", { attempts: 3 });
      proxy.silence();
      const startedMs = performance.now();
      await failsWith("TIMEOUT", cut.get("f/silent", { deadlineMs: 500 }));
      await failsWith("TIMEOUT", cut.get("f/silent", { deadlineMs: 200 }));
      const tookMs = performance.now() - startedMs;
      assert.ok(tookMs > 600 && tookMs < 2000, `${tookMs} ms`);
      await sleep(1500);
      proxy.heal();
      const healedMs = performance.now();
      await cut.get("f/silent", { deadlineMs: 2000 });
      assert.ok(performance.now() - healedMs < 1500, `${performance.now() - healedMs} ms`);
    });

    it("is noticed by a watch within three seconds of silence, and nothing is missed", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint);
      const { revision } = await client().put("f/watched", "0");
      await using follower = new Follower(cut, { key: "f/watched" }, { startRevision: revision });
      await eventually("the first event", () => follower.told.length === 1);
      const { connections } = proxy;
      proxy.silence();
      const noticedMs = await eventually("another connection", () => proxy.connections > connections);
      assert.ok(noticedMs < 3500, `${noticedMs} ms`);
      await client().put("f/watched", "1");
      proxy.heal();
      const resumedMs = await eventually("the second event", () => follower.told.length === 2);
      assert.ok(resumedMs < 1500, `${resumedMs} ms`);
      await client().put("f/watched", "2");
      await eventually("the third event", () => follower.told.length === 3);
    });

    it("loses and doubles no event, however often connections are cut", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint);
      const { revision } = await client().put("f/cut/start", "");
      await using follower = new Follower(cut, { prefix: "f/cut/" }, { startRevision: revision + 1 });
      const expected: string[] = [];
      for (let i = 0; i < 200; i++) {
        const key = `f/cut/${i % 7}`;
        expected.push(`put ${key}=${i}@${(await client().put(key, String(i))).revision}`);
        if (i % 23 === 0) proxy.cut();
        await sleep(i % 23 === 3 ? 60 : 0);
      }
      await eventually("all events", () => follower.told.length >= expected.length, 10_000);
      await sleep(100);
      assert.deepEqual(follower.told, expected);
    });

    it("leaves a write open when its answer is lost, unless it may be repeated", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint, { retry: { attempts: 6 } });
      await cut.get("f/open");
      proxy.loseAnswers();
      const error = await failsWith("AMBIGUOUS", cut.put("f/open", "1", { deadlineMs: 500 }));
      assert.equal((error.cause as { code?: string }).code, "TIMEOUT");
      assert.equal(Buffer.from((await client().get("f/open"))!.value).toString(), "1");
      setTimeout(() => proxy.heal(), 700);
      await cut.put("f/open", "2", { deadlineMs: 500, idempotent: true });
      assert.equal(Buffer.from((await client().get("f/open"))!.value).toString(), "2");
    });

    it("is passed by retries when nothing was sent yet", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await proxy.refuse();
      await using cut = near(proxy.endpoint, { retry: { attempts: 8 } });
      setTimeout(() => void proxy.accept(), 300);
      await cut.put("f/refused", "1");
      assert.equal((await client().get("f/refused"))?.version, 1);
    });

    it("is told as refused only when every endpoint refuses", async () => {
      const closed = [await freePort(), await freePort()].map((port) => `127.0.0.1:${port}`);
      await using refused = near("", { endpoints: closed });
      await failsWith("REFUSED", refused.put("f/none", "1"));
      assert.equal(refused.contact.lastOkMs, undefined);
      await using proxy = await TcpProxy.start(store().port);
      proxy.silence();
      const endpoints = [closed[0]!, proxy.endpoint];
      await using half = near("", { endpoints, deadlineMs: 400 });
      await failsWith("TIMEOUT", half.put("f/none", "1"));
      assert.equal(await client().get("f/none"), undefined);
    });

    it("is avoided when another endpoint works", async () => {
      await using silent = await TcpProxy.start(store().port);
      await using working = await TcpProxy.start(store().port);
      silent.silence();
      const endpoints = [`127.0.0.1:${await freePort()}`, silent.endpoint, working.endpoint];
      await using many = new EtcdClient({ ...store().access, endpoints });
      const startedMs = performance.now();
      await many.put("f/many", "1");
      assert.ok(performance.now() - startedMs < 1900);
      silent.heal();
      await working.refuse();
      await many.put("f/many", "2", { idempotent: true });
    });

    it("obeys the caller's signal", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint, { deadlineMs: 5000, retry: { attempts: 5 } });
      await cut.get("f/signal");
      proxy.silence();
      const startedMs = performance.now();
      await failsWith("ABORTED", cut.get("f/signal", { signal: AbortSignal.timeout(100) }));
      await failsWith("ABORTED", cut.get("f/signal", { signal: AbortSignal.abort() }));
      assert.ok(performance.now() - startedMs < 2000);
    });

    it("ends with CLOSED when the client is closed", async () => {
      await using proxy = await TcpProxy.start(store().port);
      const cut = near(proxy.endpoint, { deadlineMs: 5000 });
      const follower = new Follower(cut, { key: "f/closed" }, { progressNotify: true });
      await eventually("the watch", () => follower.batches.length === 1);
      await cut[Symbol.asyncDispose]();
      await failsWith("CLOSED", follower.ended);
      await failsWith("CLOSED", cut.get("f/closed"));
    });

    it("is told by a keeper, which keeps the lease when it heals in time", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint);
      const { told, keeper, granted, count } = keep(cut, { ttlSeconds: 6 });
      await using _ = keeper;
      const lease = await granted();
      proxy.silence();
      await eventually("the silence is told", () => count("unreachable") >= 1);
      const failed = told.find((event) => event.type === "unreachable");
      assert.equal(failed?.reason, "timeout");
      const renewed = count("renewed");
      proxy.heal();
      await eventually("it is renewed", () => count("renewed") > renewed, 1500);
      await proxy.refuse();
      await eventually("the refusal is told", () =>
        told.some((event) => event.type === "unreachable" && event.reason === "refused"),
      );
      await proxy.accept();
      const again = count("renewed");
      await eventually("it is renewed again", () => count("renewed") > again, 2000);
      assert.equal(keeper.lease, lease);
      assert.equal(count("lost"), 0);
    });
  });
}
