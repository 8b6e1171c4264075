import type { EtcdClientOptions } from "../client/index.ts";

/** The steps of a move, in their order. Until `handing over` is done the source is the store; from then on the target. */
export const MIGRATION_STEPS = [
  "checking",
  "reading",
  "copying",
  "following",
  "sealing",
  "draining",
  "verifying",
  "handing over",
  "done",
] as const;
export type MigrationStep = (typeof MIGRATION_STEPS)[number];

export interface MigrationProgress {
  readonly step: MigrationStep;
  /** Revision up to which the target has what the source has. */
  readonly revision: number;
  /** The source's revision, as far as it is known. */
  readonly sourceRevision: number;
  /** Milliseconds since the source was sealed; undefined before. */
  readonly sealedMs: number | undefined;
}

/** Writes to source and target alike while nobody else can write. */
export interface LastWrite {
  /**
   * Writes one key, in the target first and then in the source, as the same revision, and resolves with it. From
   * the moment at which the source has it there is no way back, since whoever watches the source may act on it.
   */
  put(key: string, value: string | Uint8Array): Promise<number>;
}

export interface MigrationOptions {
  /** The store as it is: the embedded server, or an etcd cluster. Auth must be off. */
  readonly from: EtcdClientOptions;
  /** An empty store: the embedded server, or an etcd cluster, that nobody else uses yet. Auth must be off. */
  readonly to: EtcdClientOptions;
  /** File in which the move is recorded, readable by its owner only; gone when the move is over. */
  readonly journal: string;
  /** Client URLs of the target, for those whom the sealed source refuses. */
  readonly successor: readonly string[];
  /** Why the source is sealed, for the same. */
  readonly reason?: string;
  /**
   * Tells everyone where the store is now. Called when the source is sealed and the target is proven to be equal.
   * If it throws before it has written anything, the source is unsealed and the move has failed.
   */
  readonly handOver: (last: LastWrite) => Promise<void>;
  readonly onProgress?: (progress: MigrationProgress) => void;
  /** Most revisions that the target may be behind when the source is sealed. 200. */
  readonly mostLag?: number;
  /** Most operations that a transaction of the target may have: what its `--max-txn-ops` says. 128. */
  readonly maxTxnOps?: number;
  /** Milliseconds that the source may be sealed before the move is given up. 30,000. */
  readonly mostSealedMs?: number;
  /** Gives the move up, as a failure does; not once the hand-over has begun. */
  readonly signal?: AbortSignal;
}

export interface MigrationResult {
  /** Revision at which the target took over, that of the last write included. */
  readonly revision: number;
  /** etcd's HashKV of both stores at that revision. */
  readonly hash: number;
  readonly leases: number;
  /** Milliseconds that nobody could write: from the seal to the end of the hand-over. */
  readonly sealedMs: number;
}
