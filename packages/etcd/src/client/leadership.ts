import { EtcdError } from "../errors.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { compare, op } from "./transaction.ts";
import type { Compare } from "./transaction.ts";

/**
 * A won election. It lasts until the leader's key is gone from the store, whatever the reason. A leader that
 * is cut off learns of that late, so every write of a leader carries {@link Leadership.fence}: without the key
 * the write does not happen.
 */
export class Leadership implements AsyncDisposable {
  readonly key: string;
  readonly createRevision: number;
  readonly #client: EtcdClient;
  readonly #lost = new AbortController();
  readonly #stopped = new AbortController();
  readonly #watching: Promise<void>;

  constructor(client: EtcdClient, key: string, createRevision: number) {
    this.key = key;
    this.createRevision = createRevision;
    this.#client = client;
    this.#watching = this.#watch();
  }

  /** Aborted when the leadership is over: by resigning, or because the key is gone (LEADERSHIP_LOST). */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Conditions for a transaction: this leadership still lasts. */
  fence(): Compare[] {
    return [compare.createRevision(this.key, "=", this.createRevision)];
  }

  /**
   * Gives the leadership up; the next candidate leads.
   * @throws EtcdError when the store could not be told; the key then goes with its lease
   */
  async resign(): Promise<void> {
    await this.#end(new EtcdError("LEADERSHIP_LOST", `${this.key} resigned`));
    await this.#client.txn(
      { compare: this.fence(), success: [op.delete({ key: this.key })] },
      { idempotent: true },
    );
  }

  /** Stops watching the key and leaves it where it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end(new EtcdError("CLOSED", `the leadership ${this.key} was let go`));
  }

  async #end(reason: EtcdError): Promise<void> {
    this.#lost.abort(reason);
    this.#stopped.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped;
    let from = this.createRevision + 1;
    while (!this.#lost.signal.aborted) {
      try {
        for await (const { events } of this.#client.watch(
          { key: this.key },
          { startRevision: from, signal },
        )) {
          if (events.some((event) => event.type === "delete")) return this.#gone();
        }
      } catch (error) {
        // The history is gone, or the watch was refused: what the key is now decides.
        const now = signal.aborted ? undefined : await this.#read(signal);
        if (signal.aborted) return;
        if (now?.createRevision !== this.createRevision) return this.#gone(error);
        from = now.revision + 1;
      }
    }
  }

  /** The key as it is now; undefined when it is gone, or the store refuses to tell. */
  async #read(signal: AbortSignal) {
    try {
      const { kvs, revision } = await this.#client.range(
        { key: this.key },
        { signal, attempts: Number.POSITIVE_INFINITY },
      );
      return kvs[0] === undefined ? undefined : { createRevision: kvs[0].createRevision, revision };
    } catch {
      return undefined;
    }
  }

  #gone(cause?: unknown): void {
    this.#lost.abort(new EtcdError("LEADERSHIP_LOST", `the store has ${this.key} no more`, { cause }));
  }
}
