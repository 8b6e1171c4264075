import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Election, op } from "../../src/client/index.ts";
import type { EtcdClient, Leader } from "../../src/client/index.ts";
import { eventually, failsWith } from "./expect.ts";

/** Elections. */
export function electionCases(client: () => EtcdClient): void {
  const lease = async () => (await client().grantLease(30)).id;
  const { signal } = new AbortController();
  const candidates = (prefix: string, count: number) =>
    eventually("all stand", async () => (await client().range({ prefix })).count === count);

  describe("elections", { concurrency: true }, () => {
    it("hand over in the order of the candidates", async () => {
      const election = new Election(client(), "el/order");
      const [a, b, c] = [await lease(), await lease(), await lease()];
      const first = await election.campaign({ lease: a, value: "a", signal });
      assert.equal(first.key, `el/order/${a.toString(16)}`);
      const won: string[] = [];
      const second = election.campaign({ lease: b, value: "b", signal });
      void second.then(() => won.push("b"));
      await candidates("el/order/", 2);
      const third = election.campaign({ lease: c, value: "c", signal });
      void third.then(() => won.push("c"));
      await candidates("el/order/", 3);
      assert.deepEqual(won, []);
      await first.resign();
      const next = await second;
      assert.deepEqual(won, ["b"]);
      assert.equal(first.lost.aborted, true);
      assert.equal(next.lost.aborted, false);
      await client().revokeLease(b);
      await using last = await third;
      await eventually("b learns of it", () => next.lost.aborted);
      assert.equal((await election.leader())?.key, last.key);
    });

    it("fence a leader that was", async () => {
      const election = new Election(client(), "el/fence");
      const [a, b] = [await lease(), await lease()];
      await using old = await election.campaign({ lease: a, value: "a", signal });
      const order = (leader: typeof old, value: string) =>
        client().txn({ compare: leader.fence(), success: [op.put("el-orders", value)] });
      assert.equal((await order(old, "1")).succeeded, true);
      const coming = election.campaign({ lease: b, value: "b", signal });
      await client().revokeLease(a);
      await using now = await coming;
      assert.equal((await order(old, "2")).succeeded, false);
      assert.equal((await order(now, "3")).succeeded, true);
      assert.equal(Buffer.from((await client().get("el-orders"))!.value).toString(), "3");
    });

    it("fence a leader whose key was made anew", async () => {
      const election = new Election(client(), "el/anew");
      const a = await lease();
      await using old = await election.campaign({ lease: a, value: "a", signal });
      await client().delete({ key: old.key });
      await using now = await election.campaign({ lease: a, value: "a", signal });
      await eventually("the old leadership ends", () => old.lost.aborted);
      assert.equal((old.lost.reason as { code?: string }).code, "LEADERSHIP_LOST");
      assert.equal((await client().txn({ compare: old.fence(), success: [] })).succeeded, false);
      assert.equal((await client().txn({ compare: now.fence(), success: [] })).succeeded, true);
    });

    it("go on where an earlier run of the same candidate stopped", async () => {
      const election = new Election(client(), "el/again");
      const a = await lease();
      const before = await election.campaign({ lease: a, value: "old", signal });
      await before[Symbol.asyncDispose]();
      await using after = await election.campaign({ lease: a, value: "new", signal });
      assert.equal(after.createRevision, before.createRevision);
      assert.equal(Buffer.from((await election.leader())!.value).toString(), "new");
    });

    it("are told to observers", async () => {
      const election = new Election(client(), "el/observed");
      const told: (Leader | undefined)[] = [];
      const stop = new AbortController();
      const observing = (async () => {
        for await (const leader of election.observe(stop.signal)) told.push(leader);
      })();
      await eventually("nobody leads", () => told.length === 1);
      assert.equal(told[0], undefined);
      await using first = await election.campaign({ lease: await lease(), value: "a", signal });
      await eventually("a leads", () => told.length === 2);
      assert.equal(Buffer.from(told[1]!.value).toString(), "a");
      await client().put(first.key, "renamed", { lease: told[1]!.lease });
      await eventually("a has another value", () => told.length === 3);
      await first.resign();
      await eventually("nobody leads again", () => told.length === 4);
      assert.equal(told[3], undefined);
      stop.abort();
      await observing;
    });

    it("let a candidate go", async () => {
      const election = new Election(client(), "el/gone");
      await using leader = await election.campaign({ lease: await lease(), value: "a", signal });
      const stop = new AbortController();
      const campaign = election.campaign({ lease: await lease(), value: "b", signal: stop.signal });
      await candidates("el/gone/", 2);
      stop.abort();
      await failsWith("ABORTED", campaign);
      assert.deepEqual(
        (await client().range({ prefix: "el/gone/" })).kvs.map((kv) => kv.key),
        [leader.key],
      );
      await failsWith("LEASE_NOT_FOUND", election.campaign({ lease: 5n, value: "c", signal }));
    });
  });
}
