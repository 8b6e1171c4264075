// What the API asks of the store. registry/ answers it; daemons/ passes it in.
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Image } from "../model/image.ts";
import type { Operation } from "../model/operation.ts";

/** The whole cluster as it moves. */
export interface LiveCluster extends AsyncDisposable {
  readonly snapshot: ClusterSnapshot;
  /** Calls back after every change of the snapshot; returns how to stop that. */
  subscribe(listener: (snapshot: ClusterSnapshot) => void): () => void;
  /** Resolves as soon as the snapshot shows this revision; rejects when the signal aborts. */
  waitFor(revision: number, signal: AbortSignal): Promise<ClusterSnapshot>;
}

export interface ApiStore {
  /** Opens a view of the whole cluster. Rejects with KEEL-401 within 3 s when the store cannot be reached. */
  openView(signal: AbortSignal): Promise<LiveCluster>;
  /** Bodies by their hash; absent ones are left out. */
  loadBodies(hashes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** Writes an operation with its changes and bodies; the revision of its last transaction. KEEL-403 when the state moved. */
  applyOperation(
    operation: Operation,
    bodies: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<number>;
  putImage(image: Image, signal: AbortSignal): Promise<number>;
  deleteImage(name: string, signal: AbortSignal): Promise<number>;
  /** When the store last answered this machine. */
  contact(): { readonly hasContact: boolean; readonly ageMs: number | null };
}
