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

/** A client that remembers when it was answered last, as the real one does. */
export class HeardStore implements StoreClient {
  readonly #client: StoreClient;
  readonly #clock: Clock;
  lastHeardMs: number | undefined;

  constructor(client: StoreClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  range(request: RangeRequest, options?: CallOptions): Promise<RangeAnswer> {
    return this.#heard(this.#client.range(request, options));
  }

  getAll(keys: readonly string[], options?: CallOptions): Promise<RangeAnswer> {
    return this.#heard(this.#client.getAll(keys, options));
  }

  txn(txn: Txn, options?: CallOptions): Promise<TxnAnswer> {
    return this.#heard(this.#client.txn(txn, options));
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchBatch> {
    for await (const batch of this.#client.watch(request, signal)) {
      this.lastHeardMs = this.#clock.now();
      yield batch;
    }
  }

  grantLease(seconds: number, options?: CallOptions): Promise<bigint> {
    return this.#heard(this.#client.grantLease(seconds, options));
  }

  renewLease(lease: bigint, options?: CallOptions): Promise<void> {
    return this.#heard(this.#client.renewLease(lease, options));
  }

  revokeLease(lease: bigint, options?: CallOptions): Promise<void> {
    return this.#heard(this.#client.revokeLease(lease, options));
  }

  async #heard<T>(call: Promise<T>): Promise<T> {
    const answer = await call;
    this.lastHeardMs = this.#clock.now();
    return answer;
  }
}
