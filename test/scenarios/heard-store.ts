import type { Clock } from "../../packages/keelson/src/base/clock.ts";
import type {
  CallOptions,
  RangeAnswer,
  RangeRequest,
  StoreClient,
  Txn,
  TxnAnswer,
  WatchBatch,
  WatchRequest,
} from "../../packages/keelson/src/registry/store-client.ts";

/** What the way to the store does to what goes over it. */
export interface Way {
  /** How long the next message takes. */
  readonly delayMs: () => number;
  /** Whether what is watched is told once more before what is new, as after a connection that broke off. */
  readonly repeats: () => boolean;
}

/**
 * A way to the store with delays, that remembers when it was answered last as the real client does. A call takes
 * its time there and back; what is watched comes late, and later than answers.
 */
export class HeardStore implements StoreClient {
  readonly #client: StoreClient;
  readonly #clock: Clock;
  readonly #way: Way;
  lastHeardMs: number | undefined;

  constructor(client: StoreClient, clock: Clock, way: Way) {
    this.#client = client;
    this.#clock = clock;
    this.#way = way;
  }

  range(request: RangeRequest, options?: CallOptions): Promise<RangeAnswer> {
    return this.#heard(options, () => this.#client.range(request, options));
  }

  getAll(keys: readonly string[], options?: CallOptions): Promise<RangeAnswer> {
    return this.#heard(options, () => this.#client.getAll(keys, options));
  }

  txn(txn: Txn, options?: CallOptions): Promise<TxnAnswer> {
    return this.#heard(options, () => this.#client.txn(txn, options));
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchBatch> {
    let last: WatchBatch | undefined;
    for await (const batch of this.#client.watch(request, signal)) {
      await this.#clock.sleep(2 * this.#way.delayMs());
      if (signal.aborted) return;
      this.lastHeardMs = this.#clock.now();
      if (last !== undefined && this.#way.repeats()) yield last;
      yield batch;
      last = batch;
    }
  }

  grantLease(seconds: number, options?: CallOptions): Promise<bigint> {
    return this.#heard(options, () => this.#client.grantLease(seconds, options));
  }

  renewLease(lease: bigint, options?: CallOptions): Promise<void> {
    return this.#heard(options, () => this.#client.renewLease(lease, options));
  }

  revokeLease(lease: bigint, options?: CallOptions): Promise<void> {
    return this.#heard(options, () => this.#client.revokeLease(lease, options));
  }

  async #heard<T>({ signal }: CallOptions = {}, call: () => Promise<T>): Promise<T> {
    await this.#clock.sleep(this.#way.delayMs(), signal);
    const answer = await call();
    // Whoever gives up now does not learn that it was done.
    await this.#clock.sleep(this.#way.delayMs(), signal);
    this.lastHeardMs = this.#clock.now();
    return answer;
  }
}
