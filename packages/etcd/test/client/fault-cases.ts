import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EtcdClient } from "../../src/client/index.ts";
import type { EtcdClientOptions } from "../../src/client/index.ts";
import { eventually, failsWith, PATIENCE_MS, sleep } from "./expect.ts";
import { keep } from "./lease-cases.ts";
import { TcpProxy } from "./tcp-proxy.ts";
import type { TestStore } from "./test-store.ts";
import { Follower } from "./watch-cases.ts";

/** Nothing listens at these two: no program may but root's, and none does. */
const CLOSED = ["127.0.0.1:1", "127.0.0.1:2"] as const;

/** For calls that are to fail: one try, which ends soon. */
const BRIEF = { attempts: 1, deadlineMs: 500 } as const;

/** What may go wrong between the client and a store that keeps running. */
export function networkFaultCases(store: () => TestStore, client: () => EtcdClient): void {
  const near = (endpoint: string, options: Partial<EtcdClientOptions> = {}) =>
    new EtcdClient({
      ...store().access,
      endpoints: [endpoint],
      deadlineMs: PATIENCE_MS,
      retry: { attempts: 30 },
      ...options,
    });

  describe("a broken network", { concurrency: true }, () => {
    it("ends calls when nothing is answered, and is forgotten after it heals", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint);
      await cut.put("f/silent", "1");
      proxy.silence();
      await failsWith("TIMEOUT", cut.get("f/silent", BRIEF));
      await failsWith("TIMEOUT", cut.get("f/silent", { ...BRIEF, deadlineMs: 200 }));
      proxy.heal();
      await cut.get("f/silent");
    });

    it("is noticed by a watch when it is silent, and nothing is missed", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint);
      const { revision } = await client().put("f/watched", "0");
      await using follower = new Follower(cut, { key: "f/watched" }, { startRevision: revision });
      await eventually("the first event", () => follower.told.length === 1);
      const { connections } = proxy;
      proxy.silence();
      await eventually("another connection", () => proxy.connections > connections);
      await client().put("f/watched", "1");
      proxy.heal();
      await eventually("the second event", () => follower.told.length === 2);
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
      await eventually("all events", () => follower.told.length >= expected.length);
      await sleep(100);
      assert.deepEqual(follower.told, expected);
    });

    it("leaves a write open when its answer is lost, unless it may be repeated", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint);
      const value = async () => Buffer.from((await client().get("f/open"))?.value ?? []).toString();
      await cut.get("f/open");
      proxy.loseAnswers();
      const error = await failsWith("AMBIGUOUS", cut.put("f/open", "1", { deadlineMs: 2000 }));
      assert.equal((error.cause as { code?: string }).code, "TIMEOUT");
      await eventually("it was carried out", async () => (await value()) === "1");
      const { connections } = proxy;
      const repeated = cut.put("f/open", "2", { deadlineMs: 1000, idempotent: true });
      await eventually("two more tries", () => proxy.connections > connections + 1);
      proxy.heal();
      await repeated;
      assert.equal(await value(), "2");
    });

    it("is passed by retries when nothing was sent yet", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await proxy.refuse();
      await using cut = near(proxy.endpoint);
      setTimeout(() => void proxy.accept(), 300);
      await cut.put("f/refused", "1");
      assert.equal((await client().get("f/refused"))?.version, 1);
    });

    it("is told as refused only when every endpoint refuses", async () => {
      await using refused = near("", { endpoints: CLOSED, retry: { attempts: 1 } });
      await failsWith("REFUSED", refused.put("f/none", "1"));
      assert.equal(refused.contact.lastOkMs, undefined);
      await using proxy = await TcpProxy.start(store().port);
      proxy.silence();
      await using half = near("", { endpoints: [CLOSED[0], proxy.endpoint] });
      await failsWith("TIMEOUT", half.put("f/none", "1", BRIEF));
      assert.equal(await client().get("f/none"), undefined);
    });

    it("is avoided when another endpoint works", async () => {
      await using silent = await TcpProxy.start(store().port);
      await using working = await TcpProxy.start(store().port);
      silent.silence();
      await using many = near("", { endpoints: [CLOSED[0], silent.endpoint, working.endpoint] });
      await many.put("f/many", "1");
      silent.heal();
      await working.refuse();
      await many.put("f/many", "2", { idempotent: true });
    });

    it("obeys the caller's signal", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint);
      await cut.get("f/signal");
      proxy.silence();
      await failsWith("ABORTED", cut.get("f/signal", { signal: AbortSignal.timeout(100) }));
      await failsWith("ABORTED", cut.get("f/signal", { signal: AbortSignal.abort() }));
    });

    it("ends with CLOSED when the client is closed", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint);
      await using follower = new Follower(cut, { key: "f/closed" }, { progressNotify: true });
      await eventually("the watch", () => follower.batches.length === 1);
      await cut[Symbol.asyncDispose]();
      await failsWith("CLOSED", follower.ended);
      await failsWith("CLOSED", cut.get("f/closed"));
    });

    it("is told by a keeper, which keeps the lease when it heals in time", async () => {
      await using proxy = await TcpProxy.start(store().port);
      await using cut = near(proxy.endpoint);
      const { told, keeper, granted, count } = keep(cut);
      await using _ = keeper;
      const lease = await granted();
      proxy.silence();
      await eventually("the silence is told", () => count("unreachable") >= 1);
      assert.ok(told.every((event) => event.type !== "unreachable" || event.reason === "timeout"));
      const renewed = count("renewed");
      proxy.heal();
      await eventually("it is renewed", () => count("renewed") > renewed);
      await proxy.refuse();
      await eventually("the refusal is told", () =>
        told.some((event) => event.type === "unreachable" && event.reason === "refused"),
      );
      await proxy.accept();
      const again = count("renewed");
      await eventually("it is renewed again", () => count("renewed") > again);
      assert.equal(keeper.lease, lease);
      assert.equal(count("lost"), 0);
    });
  });
}
