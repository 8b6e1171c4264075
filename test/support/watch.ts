// Looks at a cluster again and again while something is done to it, and says what the least and the most were.
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type Cluster, sleep } from "./cluster.ts";

/**
 * Since when each machine is in the cluster without a break. A host so busy that a machine cannot renew its lease loses
 * it, and then units rightly move: who counts what is there all the time must know. Units that are only counted say
 * `OnPartition=keep`, so that none stops before its machine is lost.
 */
async function joined(cluster: Cluster): Promise<ReadonlyMap<string, number>> {
  const { machines } = await cluster.snapshot();
  return new Map(machines.flatMap(({ name, state, since }) => (state === "up" ? [[name, since]] : [])));
}

export class Watch {
  fewest = Infinity;
  most = 0;
  looks = 0;
  readonly #cluster: Cluster;
  readonly #before: ReadonlyMap<string, number>;
  readonly #stopping = new AbortController();
  readonly #loop: Promise<void>;

  private constructor(
    cluster: Cluster,
    before: ReadonlyMap<string, number>,
    count: () => number | Promise<number>,
  ) {
    this.#cluster = cluster;
    this.#before = before;
    this.#loop = this.#look(count);
  }

  static async begin(cluster: Cluster, count: () => number | Promise<number>): Promise<Watch> {
    return new Watch(cluster, await joined(cluster), count);
  }

  /** Ends the watch; a test that fails before must not leave it open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  /**
   * Ends the watch and fails if there were fewer at any moment. What was seen while a machine was lost that nobody took
   * away counts for nothing, and the report says so. `gone` are machines that the test itself takes away.
   */
  async atLeast(t: TestContext, least: number, gone: readonly string[] = []): Promise<void> {
    await this[Symbol.asyncDispose]();
    assert.ok(this.looks > 0, "it was looked at");
    if (this.fewest >= least) return;
    const after = await joined(this.#cluster);
    const lost = [...this.#before.keys()].filter(
      (name) => !gone.includes(name) && after.get(name) !== this.#before.get(name),
    );
    const words = `${this.fewest} at the worst, not ${least}, in ${this.looks} looks`;
    assert.ok(lost.length > 0, words);
    t.diagnostic(`${words}; but ${lost.join(", ")} was too busy to keep its lease`);
  }

  async #look(count: () => number | Promise<number>): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const seen = await count();
      this.fewest = Math.min(this.fewest, seen);
      this.most = Math.max(this.most, seen);
      this.looks += 1;
      await sleep(50);
    }
  }
}
