// What registry/ needs of a store, and nothing more: etcd-store.ts answers it with the etcd client, a
// simulation answers it from memory. Revisions are numbers, values bytes, leases 64-bit identities.
// Every call rejects with an error whose `code` is one of the etcd client's: see `storeErrorCode`.

export interface StoredValue {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  /** The lease that it goes with; 0n for none. */
  readonly lease: bigint;
}

export interface RangeRequest {
  readonly key: string;
  /** First key that is no longer part of it; only `key` itself when left out. */
  readonly end?: string;
  /** Reads the past. */
  readonly revision?: number;
  /** At most this many, in the order of keys. */
  readonly limit?: number;
  /** Leaves the values out (they are empty). */
  readonly keysOnly?: boolean;
}

export interface RangeAnswer {
  /** The store's revision when it answered. */
  readonly revision: number;
  readonly values: readonly StoredValue[];
  /** More keys lie behind the limit. */
  readonly more: boolean;
}

/** A condition of a transaction. A key that is not there has the create and mod revision 0. */
export interface Compare {
  readonly key: string;
  readonly target: "create" | "mod";
  readonly is: "=" | "!=";
  readonly revision: number;
}

export type StoreWrite =
  | { readonly put: string; readonly value: Uint8Array | string; readonly lease?: bigint }
  | { readonly delete: string; readonly end?: string };

export interface TxnAnswer {
  readonly succeeded: boolean;
  readonly revision: number;
}

export interface Txn {
  /** All must hold. At most 128. */
  readonly compare: readonly Compare[];
  /** Done when they hold. At most 128, no key twice. */
  readonly write: readonly StoreWrite[];
}

export interface StoreEvent {
  readonly type: "put" | "delete";
  readonly key: string;
  /** Empty for a delete. */
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
}

/** Events of one or more whole revisions, in order. */
export interface WatchBatch {
  /** Everything up to here has been delivered. */
  readonly revision: number;
  readonly events: readonly StoreEvent[];
}

export interface WatchRequest {
  readonly key: string;
  readonly end?: string;
  /** The first revision of interest. */
  readonly from: number;
  /** How often to ask how far the watch has come: a batch without events says that all before it was told. */
  readonly askProgressMs?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** 3 s unless given. */
  readonly timeoutMs?: number;
}

export interface StoreClient {
  range(request: RangeRequest, options?: CallOptions): Promise<RangeAnswer>;
  /** Those of these keys (at most 128) that are there, all at one revision. */
  getAll(keys: readonly string[], options?: CallOptions): Promise<RangeAnswer>;
  txn(txn: Txn, options?: CallOptions): Promise<TxnAnswer>;
  /**
   * Batches until the signal aborts (it then ends). Interruptions are bridged without a gap; it rejects when
   * they cannot be (COMPACTED, STORE_REPLACED): read everything afresh.
   */
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchBatch>;
  grantLease(seconds: number, options?: CallOptions): Promise<bigint>;
  /** Renews once. Rejects with LEASE_NOT_FOUND when the lease has run out or was revoked. */
  renewLease(lease: bigint, options?: CallOptions): Promise<void>;
  revokeLease(lease: bigint, options?: CallOptions): Promise<void>;
}

/** The etcd client's code of an error, such as REFUSED, TIMEOUT, COMPACTED; undefined for other errors. */
export function storeErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** With COMPACTED: the oldest revision that can still be read and watched; undefined for other errors. */
export function oldestRevisionOf(error: unknown): number | undefined {
  if (storeErrorCode(error) !== "COMPACTED" || !(error instanceof Error)) return undefined;
  const { compactRevision } = error as { readonly compactRevision?: unknown };
  return typeof compactRevision === "number" ? compactRevision : undefined;
}

/** The first key behind all keys with this prefix. */
export function prefixEnd(prefix: string): string {
  const last = prefix.length - 1;
  return prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1);
}

/** Whether trying again may help: the store is away, slow or was just elected. */
export function isStoreAway(error: unknown): boolean {
  const code = storeErrorCode(error);
  return code !== undefined && awayCodes.has(code);
}

const awayCodes: ReadonlySet<string> = new Set([
  "REFUSED",
  "TIMEOUT",
  "UNAVAILABLE",
  "AMBIGUOUS",
  "NO_LEADER",
  "LEADER_CHANGED",
  "SERVER_STOPPED",
  "SERVER_TIMEOUT",
  "UNHEALTHY",
  "TOO_MANY_REQUESTS",
  "NOT_LEADER",
  "SEALED",
  // So a cluster says that it is sealed: Keelson has no users in the store.
  "USER_EMPTY",
  "USER_NOT_FOUND",
  "ACCESS_DENIED",
  "PERMISSION_DENIED",
  "INTERNAL",
]);
