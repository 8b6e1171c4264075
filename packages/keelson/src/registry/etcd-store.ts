// The store behind etcd's protocol: embedded or a real etcd, it makes no difference here.
// Invariants: when the store moves (`switchTo`), the successor has the same history under the same revisions, so
// watches go on behind what they have told, and conditions on revisions and leases hold as before; a write that
// the sealed store refused was not carried out, and is made again where the store is then.
import { compare, EtcdClient, EtcdError, op } from "@keelson/etcd/client";
import type {
  Comparison,
  KeyValue,
  RequestOptions,
  TlsSource,
  WatchBatch as EtcdWatchBatch,
} from "@keelson/etcd/client";
import { ClientKeysStore } from "@keelson/etcd/rest";
import type { KeysStore } from "@keelson/etcd/rest";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { storeErrorCode } from "./store-client.ts";
import type { BackupSource } from "../model/backup.ts";
import type { StoreKeys } from "../model/stored-key.ts";
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
import { EtcdBackupSource } from "./backup-source.ts";
import { EtcdStoreKeys } from "./store-keys.ts";

/** Where the store is, and how it is spoken to. */
export interface StoreAccess {
  /** `http://host:port` or `https://host:port` of each member of the store. */
  readonly endpoints: readonly string[];
  /** Certificates; a function is asked before each connection. */
  readonly tls?: TlsSource;
}

export interface EtcdStoreOptions extends StoreAccess {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const defaultTimeoutMs = 3000;
/** How often a call that a sealed store refused is made again: it may be unsealed, or have moved. */
const sealedRetryMs = 50;
/**
 * What a store says that is sealed for its move: the embedded one in so many words, a cluster by asking for a user
 * that only the mover is. Nothing was carried out then.
 */
const sealedCodes: ReadonlySet<string | undefined> = new Set([
  "SEALED",
  "USER_EMPTY",
  "USER_NOT_FOUND",
  "ACCESS_DENIED",
  "PERMISSION_DENIED",
]);
/** Calls that are under way when the store moves are let come to their end. */
const farewellMs = 5000;

interface Place {
  readonly client: EtcdClient;
  readonly access: StoreAccess;
  /** Aborts when the store is elsewhere. */
  readonly left: AbortController;
}

export class EtcdStore implements StoreClient, AsyncDisposable {
  readonly #options: EtcdStoreOptions;
  readonly #former = new Set<EtcdClient>();
  #place: Place;
  readonly #onReplaced = new Set<() => void>();
  #heardBefore: number | undefined;
  #sealedSinceMs: number | undefined;

  constructor(options: EtcdStoreOptions) {
    this.#options = options;
    this.#place = this.#open(options);
  }

  /** `Clock.now()` when the store answered last; undefined before the first time. */
  get lastHeardMs(): number | undefined {
    return this.#place.client.contact.lastOkMs ?? this.#heardBefore;
  }

  /** `Clock.now()` since when the store answers and refuses, because it moves or has moved; undefined otherwise. */
  get sealedSinceMs(): number | undefined {
    return this.#sealedSinceMs;
  }

  get access(): StoreAccess {
    return this.#place.access;
  }

  /**
   * Calls back when a watch has found another store at the same place, one that was restored: what was written to the
   * former one may be missing in it. Several watches may each find it. Returns how to stop that.
   */
  onReplaced(listener: () => void): () => void {
    this.#onReplaced.add(listener);
    return () => this.#onReplaced.delete(listener);
  }

  /** Goes on at the store's new place, which has the same history. Throws INVALID_ARGUMENT for no place at all. */
  switchTo(access: StoreAccess): void {
    const former = this.#place;
    this.#heardBefore = this.lastHeardMs;
    this.#place = this.#open(access);
    this.#sealedSinceMs = undefined;
    former.left.abort();
    this.#former.add(former.client);
    this.#options.clock.timer(farewellMs, () => {
      this.#former.delete(former.client);
      void former.client[Symbol.asyncDispose]();
    });
  }

  /** The same store as the REST keys API sees it, wherever it is at the time of a call. */
  get keys(): KeysStore {
    const at = (): KeysStore => new ClientKeysStore(this.#place.client);
    return {
      identity: {},
      read: (spans, revision) => at().read(spans, revision),
      write: (transaction) => at().write(transaction),
      watch: (span, from, signal) => at().watch(span, from, signal),
      grant: (lease, seconds) => at().grant(lease, seconds),
      renew: (lease) => at().renew(lease),
      revoke: (lease) => at().revoke(lease),
      lease: (lease) => at().lease(lease),
    };
  }

  /** The store as a whole. */
  get backupSource(): BackupSource {
    return new EtcdBackupSource(() => this.#place.client);
  }

  /** All its keys, as bytes. */
  get allKeys(): StoreKeys {
    const patiently = <T>(send: () => Promise<T>): Promise<T> => this.#call({}, () => send());
    return new EtcdStoreKeys(() => this.#place.client, patiently);
  }

  async range(request: RangeRequest, options: CallOptions = {}): Promise<RangeAnswer> {
    const { key, end, revision, limit, keysOnly } = request;
    const selector = end === undefined ? { key } : { from: key, to: end };
    const answer = await this.#call(options, (client, settings) =>
      client.range(selector, { revision, limit, keysOnly, ...settings, attempts: 2 }),
    );
    return { revision: answer.revision, values: answer.kvs.map(toStored), more: answer.more };
  }

  async getAll(keys: readonly string[], options: CallOptions = {}): Promise<RangeAnswer> {
    const success = keys.map((key) => op.get({ key }));
    const answer = await this.#call(options, (client, settings) =>
      client.txn({ compare: [], success }, { idempotent: true, ...settings, attempts: 2 }),
    );
    const values = answer.responses.flatMap((one) => (one.type === "get" ? one.kvs.map(toStored) : []));
    return { revision: answer.revision, values, more: false };
  }

  async txn(txn: Txn, options: CallOptions = {}): Promise<TxnAnswer> {
    const request = { compare: txn.compare.map(toCompare), success: txn.write.map(toOp) };
    // Without a condition the same writes again do no harm.
    const idempotent = txn.compare.length === 0;
    const { succeeded, revision } = await this.#call(options, (client, settings) =>
      client.txn(request, { idempotent, ...settings, attempts: 2 }),
    );
    return { succeeded, revision };
  }

  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchBatch, void, void> {
    const { key, end, askProgressMs } = request;
    const selector = end === undefined ? { key } : { from: key, to: end };
    let { from } = request;
    for (;;) {
      const { client, left } = this.#place;
      const until = AbortSignal.any([signal, left.signal]);
      try {
        const settings = { startRevision: from, progressNotify: true, askProgressMs, signal: until };
        const batches = client.watch(selector, settings);
        for await (const batch of batches) {
          const tellsProgress = askProgressMs !== undefined && batch.events.length === 0;
          if (batch.revision < from && !tellsProgress) continue;
          from = Math.max(from, batch.revision + 1);
          yield toBatch(batch);
        }
      } catch (error) {
        if (!left.signal.aborted) {
          if (storeErrorCode(error) === "STORE_REPLACED") for (const tell of this.#onReplaced) tell();
          throw error;
        }
      }
      if (signal.aborted || !left.signal.aborted) return;
    }
  }

  // Renewals come again by themselves, and the time of sending counts: never a second try behind the back, except
  // where the store has certainly not carried it out.
  async grantLease(seconds: number, options: CallOptions = {}): Promise<bigint> {
    const { id } = await this.#call(options, (client, settings) =>
      client.grantLease(seconds, 0n, { ...settings, attempts: 1 }),
    );
    return id;
  }

  async renewLease(lease: bigint, options: CallOptions = {}): Promise<void> {
    await this.#call(options, (client, settings) =>
      client.keepAliveOnce(lease, { ...settings, attempts: 1 }),
    );
  }

  async revokeLease(lease: bigint, options: CallOptions = {}): Promise<void> {
    await this.#call(options, (client, settings) => client.revokeLease(lease, { ...settings, attempts: 1 }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const clients = [this.#place.client, ...this.#former];
    this.#former.clear();
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  }

  #open(access: StoreAccess): Place {
    const { clock, random, log } = this.#options;
    const { endpoints, tls } = access;
    const client = new EtcdClient({ endpoints, tls, clock, random, log, deadlineMs: defaultTimeoutMs });
    return { client, access, left: new AbortController() };
  }

  /** One call, made again for as long as it may last while the store is sealed for its move. */
  async #call<T>(
    { signal, timeoutMs = defaultTimeoutMs }: CallOptions,
    send: (client: EtcdClient, settings: Pick<RequestOptions, "signal" | "deadlineMs">) => Promise<T>,
  ): Promise<T> {
    const { clock } = this.#options;
    const end = clock.now() + timeoutMs;
    for (;;) {
      const { client, left } = this.#place;
      try {
        const answer = await send(client, { signal, deadlineMs: Math.max(50, end - clock.now()) });
        this.#sealedSinceMs = undefined;
        return answer;
      } catch (error) {
        if (!sealedCodes.has(storeErrorCode(error))) throw error;
        this.#sealedSinceMs ??= clock.now();
        if (clock.now() + sealedRetryMs >= end) throw error;
      }
      const wait = signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]);
      await clock.sleep(sealedRetryMs, wait).catch(() => signal?.throwIfAborted());
    }
  }
}

/** Whether the error is the store's or its client's; others are faults of the caller. */
export function isStoreError(error: unknown): boolean {
  return error instanceof EtcdError;
}

function toBatch({ revision, events }: EtcdWatchBatch): WatchBatch {
  return {
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
