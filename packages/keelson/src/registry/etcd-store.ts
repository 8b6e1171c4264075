// The store behind etcd's protocol: embedded or a real etcd, it makes no difference here.
import { compare, EtcdClient, EtcdError, op } from "@keelson/etcd/client";
import type { Comparison, KeyValue, RequestOptions } from "@keelson/etcd/client";
import { ClientKeysStore } from "@keelson/etcd/rest";
import type { KeysStore } from "@keelson/etcd/rest";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type {
  CallOptions,
  Compare,
  RangeAnswer,
  RangeRequest,
  StoreClient,
  StoredValue,
  StoreWrite,
  Txn,
  TxnAnswer,
  WatchBatch,
  WatchRequest,
} from "./store-client.ts";

export interface EtcdStoreOptions {
  /** `http://host:port` of each member of the store. */
  readonly endpoints: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const defaultTimeoutMs = 3000;

export class EtcdStore implements StoreClient, AsyncDisposable {
  readonly #client: EtcdClient;

  constructor(options: EtcdStoreOptions) {
    this.#client = new EtcdClient({ ...options, deadlineMs: defaultTimeoutMs });
  }

  /** `Clock.now()` when the store answered last; undefined before the first time. */
  get lastHeardMs(): number | undefined {
    return this.#client.contact.lastOkMs;
  }

  /** The same store as the REST keys API sees it. */
  get keys(): KeysStore {
    return new ClientKeysStore(this.#client);
  }

  async range(request: RangeRequest, options: CallOptions = {}): Promise<RangeAnswer> {
    const { key, end, revision, limit, keysOnly } = request;
    const selector = end === undefined ? { key } : { from: key, to: end };
    const answer = await this.#client.range(selector, { revision, limit, keysOnly, ...calling(options) });
    return { revision: answer.revision, values: answer.kvs.map(toStored), more: answer.more };
  }

  async getAll(keys: readonly string[], options: CallOptions = {}): Promise<RangeAnswer> {
    const success = keys.map((key) => op.get({ key }));
    const answer = await this.#client.txn(
      { compare: [], success },
      { idempotent: true, ...calling(options) },
    );
    const values = answer.responses.flatMap((one) => (one.type === "get" ? one.kvs.map(toStored) : []));
    return { revision: answer.revision, values, more: false };
  }

  async txn(txn: Txn, options: CallOptions = {}): Promise<TxnAnswer> {
    const { succeeded, revision } = await this.#client.txn(
      { compare: txn.compare.map(toCompare), success: txn.write.map(toOp) },
      // Without a condition the same writes again do no harm.
      { idempotent: txn.compare.length === 0, ...calling(options) },
    );
    return { succeeded, revision };
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchBatch, void, void> {
    const { key, end, from } = request;
    const selector = end === undefined ? { key } : { from: key, to: end };
    const batches = this.#client.watch(selector, { startRevision: from, progressNotify: true, signal });
    for await (const { revision, events } of batches) {
      yield {
        revision,
        events: events.map(({ type, kv }) => ({
          type,
          key: kv.key,
          value: kv.value,
          createRevision: kv.createRevision,
          modRevision: kv.modRevision,
        })),
      };
    }
  }

  async grantLease(seconds: number, options: CallOptions = {}): Promise<bigint> {
    const { id } = await this.#client.grantLease(seconds, 0n, once(options));
    return id;
  }

  async renewLease(lease: bigint, options: CallOptions = {}): Promise<void> {
    await this.#client.keepAliveOnce(lease, once(options));
  }

  async revokeLease(lease: bigint, options: CallOptions = {}): Promise<void> {
    await this.#client.revokeLease(lease, once(options));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#client[Symbol.asyncDispose]();
  }
}

/** Whether the error is the store's or its client's; others are faults of the caller. */
export function isStoreError(error: unknown): boolean {
  return error instanceof EtcdError;
}

function calling({ signal, timeoutMs = defaultTimeoutMs }: CallOptions): RequestOptions {
  return { signal, deadlineMs: timeoutMs, attempts: 2 };
}

/** Renewals come again by themselves, and the time of sending counts: never a second try behind the back. */
function once({ signal, timeoutMs = defaultTimeoutMs }: CallOptions): RequestOptions {
  return { signal, deadlineMs: timeoutMs, attempts: 1 };
}

function toStored({ key, value, createRevision, modRevision, lease }: KeyValue): StoredValue {
  return { key, value, createRevision, modRevision, lease };
}

function toCompare({ key, target, is, revision }: Compare) {
  const comparison: Comparison = is;
  return target === "create"
    ? compare.createRevision(key, comparison, revision)
    : compare.modRevision(key, comparison, revision);
}

function toOp(write: StoreWrite) {
  if ("put" in write) return op.put(write.put, write.value, { lease: write.lease });
  return op.delete(write.end === undefined ? { key: write.delete } : { from: write.delete, to: write.end });
}
