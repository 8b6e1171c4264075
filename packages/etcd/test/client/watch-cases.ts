import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { op } from "../../src/client/index.ts";
import type { EtcdClient, KeySelector, WatchBatch, WatchOptions } from "../../src/client/index.ts";
import { eventually, failsWith } from "./expect.ts";

/** A watch in the background, with everything that it told. */
export class Follower implements AsyncDisposable {
  readonly batches: WatchBatch[] = [];
  readonly ended: Promise<void>;
  readonly #stop = new AbortController();

  constructor(client: EtcdClient, selector: KeySelector, options: Omit<WatchOptions, "signal"> = {}) {
    this.ended = this.#follow(client, selector, options);
    this.ended.catch(() => {});
  }

  /** "put key=value@revision" and "delete key@revision", in the order in which they were told. */
  get told(): string[] {
    return this.batches.flatMap((batch) =>
      batch.events.map(({ type, kv }) =>
        type === "put"
          ? `put ${kv.key}=${Buffer.from(kv.value).toString()}@${kv.modRevision}`
          : `delete ${kv.key}@${kv.modRevision}`,
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.ended.catch(() => {});
  }

  async #follow(
    client: EtcdClient,
    selector: KeySelector,
    options: Omit<WatchOptions, "signal">,
  ): Promise<void> {
    const watch = client.watch(selector, { ...options, signal: this.#stop.signal });
    for await (const batch of watch) this.batches.push(batch);
  }
}

/** Watching while nothing goes wrong. */
export function watchCases(client: () => EtcdClient): void {
  describe("watch", { concurrency: true }, () => {
    it("tells the past from a revision on, then what happens", async () => {
      const first = await client().put("w/past/a", "1");
      const second = await client().put("w/past/b", "2");
      const selector = { prefix: "w/past/" };
      await using follower = new Follower(client(), selector, { startRevision: first.revision });
      await eventually("the past", () => follower.told.length === 2);
      const third = await client().delete(selector);
      await eventually("the present", () => follower.told.length === 4);
      assert.deepEqual(follower.told, [
        `put w/past/a=1@${first.revision}`,
        `put w/past/b=2@${second.revision}`,
        `delete w/past/a@${third.revision}`,
        `delete w/past/b@${third.revision}`,
      ]);
      assert.equal(follower.batches.at(-1)?.revision, third.revision);
      assert.equal(follower.batches.at(-1)?.events.length, 2);
    });

    it("begins now, and says when that is", async () => {
      await client().put("w/now", "before");
      await using follower = new Follower(client(), { key: "w/now" }, { progressNotify: true });
      await eventually("the beginning", () => follower.batches.length === 1);
      assert.equal(follower.batches[0]?.kind, "progress");
      const { revision } = await client().put("w/now", "after");
      await eventually("the change", () => follower.batches.length === 2);
      assert.deepEqual(follower.told, [`put w/now=after@${revision}`]);
    });

    it("tells a transaction in one batch", async () => {
      const { revision } = await client().put("w/txn/0", "");
      await using follower = new Follower(client(), { prefix: "w/txn/" }, { startRevision: revision + 1 });
      const puts = Array.from({ length: 100 }, (_, i) => op.put(`w/txn/${i}`, "x".repeat(1000)));
      const done = await client().txn({ compare: [], success: puts });
      await eventually("the events", () => follower.told.length === 100);
      assert.deepEqual(
        follower.batches.map((batch) => [batch.revision, batch.events.length]),
        [[done.revision, 100]],
      );
    });

    it("tells what was before, and leaves out what is not wanted", async () => {
      const { revision } = await client().put("w/prev", "old");
      const from = { startRevision: revision + 1 };
      await using all = new Follower(client(), { key: "w/prev" }, { ...from, prevKv: true });
      await using puts = new Follower(client(), { key: "w/prev" }, { ...from, without: "delete" });
      await using deletes = new Follower(client(), { key: "w/prev" }, { ...from, without: "put" });
      await client().put("w/prev", "new");
      await client().delete({ key: "w/prev" });
      await client().put("w/prev", "last");
      await eventually("all events", () => all.told.length === 3);
      await eventually("the puts", () => puts.told.length === 2);
      await eventually("the deletion", () => deletes.told.length === 1);
      const previous = all.batches.flatMap((batch) =>
        batch.events.map((event) => event.previous && Buffer.from(event.previous.value).toString()),
      );
      assert.deepEqual(previous, ["old", "new", undefined]);
    });

    it("ends quietly when its signal fires or its consumer leaves", async () => {
      const follower = new Follower(client(), { prefix: "w/end/" });
      await follower[Symbol.asyncDispose]();
      await follower.ended;
      const { revision } = await client().put("w/end/a", "1");
      const watch = client().watch(
        { prefix: "w/end/" },
        { startRevision: revision, signal: new AbortController().signal },
      );
      for await (const batch of watch) {
        assert.equal(batch.revision, revision);
        break;
      }
      const aborted = client().watch({ prefix: "w/end/" }, { signal: AbortSignal.abort() });
      assert.deepEqual(await aborted.next(), { done: true, value: undefined });
    });

    it("tells a long history completely, in order and once", async () => {
      const value = "v".repeat(4096);
      const { revision } = await client().put("w/long/start", "");
      for (let batch = 0; batch < 40; batch++) {
        await client().txn({
          compare: [],
          success: Array.from({ length: 100 }, (_, i) =>
            op.put(`w/long/${i}`, i % 10 === 0 ? value : String(batch)),
          ),
        });
      }
      await using follower = new Follower(client(), { prefix: "w/long/" }, { startRevision: revision + 1 });
      await eventually("all of it", () => follower.told.length >= 4000);
      assert.equal(follower.told.length, 4000);
      const revisions = follower.batches.flatMap((batch) =>
        batch.events.map((event) => event.kv.modRevision),
      );
      assert.deepEqual(
        revisions,
        revisions.toSorted((a, b) => a - b),
      );
      assert.equal(new Set(revisions).size, 40);
    });

    it("refuses an impossible range", async () => {
      const { signal } = new AbortController();
      await failsWith("INVALID_ARGUMENT", client().watch({ key: "" }, { signal }).next());
      await failsWith("INVALID_ARGUMENT", client().watch({ key: "a" }, { startRevision: 0, signal }).next());
    });
  });
}
