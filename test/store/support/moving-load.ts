// Clients that work while their store moves: they go over when the store that they know refuses them and the other
// one has the record of the move.
import { compare, EtcdClient, EtcdError, op } from "../../../packages/etcd/src/client/index.ts";
import type { WatchEvent } from "../../../packages/etcd/src/client/index.ts";

/** Where the mover writes that the store has moved. */
export const LOCATION = "location";

/** What a sealed store answers, the embedded one and an etcd. */
const SEALED = new Set(["SEALED", "USER_EMPTY"]);

export interface Stores {
  readonly from: EtcdClient;
  readonly to: EtcdClient;
}

/** Counts one key up, each number once, and knows what was acknowledged. */
export class Writer {
  readonly key: string;
  count = 0;
  /** Longest time between two acknowledged writes, in milliseconds. */
  longestPause = 0;
  failure: Error | undefined;
  readonly #stores: Stores;
  readonly #lease: bigint;
  #stopped = false;
  #running: Promise<void>;

  constructor(stores: Stores, key: string, lease = 0n) {
    this.#stores = stores;
    this.key = key;
    this.#lease = lease;
    this.#running = this.#run().catch((error: unknown) => {
      this.failure = error as Error;
    });
  }

  /** Throws what has ended it before. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    if (this.failure !== undefined) throw this.failure;
  }

  async #run(): Promise<void> {
    let store = this.#stores.from;
    let writtenAt = performance.now();
    while (!this.#stopped) {
      const before =
        this.count === 0
          ? compare.version(this.key, "=", 0)
          : compare.value(this.key, "=", String(this.count));
      const put = op.put(this.key, String(this.count + 1), { lease: this.#lease });
      try {
        const { succeeded } = await store.txn({ compare: [before], success: [put] }, { attempts: 1 });
        if (!succeeded)
          throw new Error(`${this.key} is not at ${this.count}: a write was lost or made twice`);
        this.count++;
        this.longestPause = Math.max(this.longestPause, performance.now() - writtenAt);
        writtenAt = performance.now();
      } catch (error) {
        if (!(error instanceof EtcdError) || !SEALED.has(error.code)) throw error;
        if ((await this.#stores.to.get(LOCATION)) !== undefined) store = this.#stores.to;
      }
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }
}

/** Follows everything, here and then there, from the revision after the one that it saw last. */
export class Watcher {
  readonly events: WatchEvent[] = [];
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;

  constructor(stores: Stores, startRevision: number) {
    this.#running = this.#run(stores, startRevision);
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #run({ from, to }: Stores, startRevision: number): Promise<void> {
    const { signal } = this.#ending;
    let next = startRevision;
    for (const store of [from, to]) {
      for await (const { events, revision } of store.watch({ prefix: "" }, { startRevision: next, signal })) {
        this.events.push(...events);
        next = revision + 1;
        if (store === from && events.some(({ kv }) => kv.key === LOCATION)) break;
      }
    }
  }
}

/** Keeps a lease alive, wherever the store is. Counts the renewals of each place. */
export class Holder {
  here = 0;
  there = 0;
  /** The first renewal is made. */
  readonly begun: Promise<void>;
  readonly #timer: NodeJS.Timeout;

  constructor({ from, to }: Stores, lease: bigint) {
    const renew = async (): Promise<void> => {
      if ((await to.get(LOCATION)) !== undefined) {
        await to.keepAliveOnce(lease);
        this.there++;
      } else {
        await from.keepAliveOnce(lease, { attempts: 1 });
        this.here++;
      }
    };
    this.begun = renew();
    this.#timer = setInterval(() => void renew().catch(() => undefined), 300);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
