// What a store keeps of its past, as the planner reads it. Keys and values are latin1 strings: one character is
// one byte, and their order is etcd's.

/** One kept state of one key. `version` 0 marks a deletion; create, lease and value say nothing then. */
export interface SourceVersion {
  readonly key: string;
  /** Revision of the transaction. */
  readonly main: number;
  /** Place of the change within its transaction. */
  readonly sub: number;
  readonly create: number;
  /** Writes since the key was created, from 1. */
  readonly version: number;
  readonly lease: bigint;
  readonly value: string;
}

export interface SourceHistory {
  /** Revision of the last change; 1 in a store that never had one. */
  readonly revision: number;
  /** Oldest revision that can be read; 0 or less if nothing was ever compacted. */
  readonly compactRevision: number;
  /** In the order of (main, sub). */
  readonly versions: readonly SourceVersion[];
}

/** A change that the target is to make. `rangeEnd` "" deletes the one key. */
export type ReplayedChange =
  | { readonly kind: "put"; readonly key: string; readonly value: string; readonly lease: bigint }
  | { readonly kind: "delete"; readonly key: string; readonly rangeEnd: string };

/** One transaction of the target. */
export interface ReplayedRevision {
  readonly revision: number;
  readonly changes: readonly ReplayedChange[];
  /** False: it may change places with its neighbours that are not ordered either. */
  readonly ordered: boolean;
}

/**
 * The history without what the compaction at `compactRevision` drops, should the store not have got that far: of
 * each key stays the newest state at or before it, unless that is a deletion at an earlier revision.
 */
export function withoutCompacted(history: SourceHistory): SourceHistory {
  const { compactRevision, versions } = history;
  if (compactRevision < 1) return history;
  const newest = new Map<string, SourceVersion>();
  for (const version of versions) if (version.main <= compactRevision) newest.set(version.key, version);
  const kept = versions.filter((version) => {
    if (version.main > compactRevision) return true;
    return newest.get(version.key) === version && (version.version > 0 || version.main === compactRevision);
  });
  return { ...history, versions: kept };
}
