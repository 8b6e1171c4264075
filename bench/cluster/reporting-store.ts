// A machine's way to the store that counts which of its units run, as far as the store has been told.
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
import { prefixes } from "../../packages/keelson/src/model/keys.ts";

export class ReportingStore implements StoreClient {
  readonly #client: StoreClient;
  #isCut = false;
  /** Keys of statuses in the store that say that the unit runs. */
  readonly active = new Set<string>();

  constructor(client: StoreClient) {
    this.#client = client;
  }

  /** Nothing gets through any more. */
  cut(): void {
    this.#isCut = true;
  }

  async range(request: RangeRequest, options?: CallOptions): Promise<RangeAnswer> {
    this.#insist();
    return this.#client.range(request, options);
  }

  async getAll(keys: readonly string[], options?: CallOptions): Promise<RangeAnswer> {
    this.#insist();
    return this.#client.getAll(keys, options);
  }

  async txn(txn: Txn, options?: CallOptions): Promise<TxnAnswer> {
    this.#insist();
    const answer = await this.#client.txn(txn, options);
    if (!answer.succeeded) return answer;
    for (const write of txn.write) {
      const key = "put" in write ? write.put : write.delete;
      if (!key.startsWith(prefixes.status)) continue;
      const runs = "put" in write && String(write.value).includes('"active":"active"');
      if (runs) this.active.add(key);
      else this.active.delete(key);
    }
    return answer;
  }

  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchBatch> {
    return this.#client.watch(request, signal);
  }

  async grantLease(seconds: number, options?: CallOptions): Promise<bigint> {
    this.#insist();
    return this.#client.grantLease(seconds, options);
  }

  async renewLease(lease: bigint, options?: CallOptions): Promise<void> {
    this.#insist();
    return this.#client.renewLease(lease, options);
  }

  async revokeLease(lease: bigint, options?: CallOptions): Promise<void> {
    this.#insist();
    return this.#client.revokeLease(lease, options);
  }

  #insist(): void {
    if (this.#isCut) throw new Error("the machine has no power");
  }
}
