// What the REST keys API needs of a store, and nothing more. The embedded server answers it from memory, an
// EtcdClient from any cluster. Keys are byte strings: one latin1 character is one byte.

export interface StoredKey {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  /** 0n for none. */
  readonly lease: bigint;
}

/** One key, or those from `key` until before `end`. */
export interface Span {
  readonly key: string;
  readonly end?: string;
}

export interface LimitedSpan extends Span {
  /** Most keys to answer, in their order; all when left out. */
  readonly limit?: number;
}

/** All that holds of a transaction. */
export type Condition =
  /** No key of the span exists. */
  | { readonly absent: Span }
  /** The key exists, as it was created then. */
  | { readonly key: string; readonly createRevision: number }
  /** The key exists, as it was written then. */
  | { readonly key: string; readonly modRevision: number };

export type KeysWrite =
  | { readonly put: string; readonly value: Uint8Array; readonly lease: bigint }
  | { readonly delete: Span };

export interface KeysTransaction {
  /** At most 128. */
  readonly when: readonly Condition[];
  /** Carried out when all of them hold. At most 128, no key twice. */
  readonly write: readonly KeysWrite[];
}

export type KeyChange =
  | { readonly type: "put"; readonly kv: StoredKey; readonly previous: StoredKey | undefined }
  | {
      readonly type: "delete";
      readonly key: string;
      readonly revision: number;
      readonly previous: StoredKey | undefined;
    };

export interface ChangeBatch {
  /** Everything up to this revision has been told with this batch. */
  readonly revision: number;
  /** Of whole revisions, in order. */
  readonly changes: readonly KeyChange[];
}

export interface LeaseTerm {
  readonly grantedSeconds: number;
  readonly remainingMs: number;
}

/** Every call rejects with an {@link EtcdError}. */
export interface KeysStore {
  /** The spans, all at one revision. Rejects with COMPACTED when `revision` cannot be read any more. */
  read(
    spans: readonly LimitedSpan[],
    revision?: number,
  ): Promise<{ readonly revision: number; readonly results: readonly (readonly StoredKey[])[] }>;
  write(transaction: KeysTransaction): Promise<{ readonly succeeded: boolean; readonly revision: number }>;
  /**
   * Changes of a span from a revision on, with what each key was before. Ends when the signal fires; rejects
   * with COMPACTED when the store has dropped what would come next.
   */
  watch(span: Span, from: number, signal: AbortSignal): AsyncIterable<ChangeBatch>;
  /** Grants a lease of this identity. The store may raise a short time to its least. */
  grant(lease: bigint, seconds: number): Promise<void>;
  /** Gives a lease its full time again. */
  renew(lease: bigint): Promise<void>;
  revoke(lease: bigint): Promise<void>;
  /** What is left of a lease; undefined when there is none of this identity. */
  lease(lease: bigint): Promise<LeaseTerm | undefined>;
  /** For the answers' headers; what is not known is left out of them. */
  readonly identity: {
    readonly clusterId?: string;
    readonly raftIndex?: number;
    readonly raftTerm?: number;
  };
}
