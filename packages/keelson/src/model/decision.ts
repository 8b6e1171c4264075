// What the leader's deciders are asked and answer, the scheduler apart. Each is pure: the leader writes what it
// says, under its fence, and looks again. `leader/deciders.ts` lists them.
import type { ClusterSnapshot } from "./cluster.ts";
import type { Operation } from "./operation.ts";
import type { PlacementSource } from "./placement/cache.ts";
import type { RecordChange } from "./record-kinds.ts";

export interface DeciderScene {
  readonly snapshot: ClusterSnapshot;
  readonly placements: PlacementSource;
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  /** Unix milliseconds. */
  readonly wallMs: number;
  /** By instance, why the pass before found no machine for it; `final` when only a change helps. */
  readonly unplaced?: ReadonlyMap<string, { readonly reason: string; readonly final: boolean }>;
  /** A new identity that sorts by time, for operations. */
  readonly newId: () => string;
}

export interface Decision {
  /** Written one by one; one whose record is not `before` any more is left for the next look. */
  readonly records: readonly RecordChange[];
  /** Changes of units, by "keelson" via "leader"; kept like a person's, and undone like one. */
  readonly operations: readonly Operation[];
  /** When to look again although nothing changes, on the clock of `nowMs`. */
  readonly againMs: number | undefined;
  /** Whether a machine's report may change what is to be done. */
  readonly awaitsReports: boolean;
}

export interface Decider {
  /** For logs and metrics. */
  readonly name: string;
  decide(scene: DeciderScene): Decision;
}

export const nothingToDo: Decision = {
  records: [],
  operations: [],
  againMs: undefined,
  awaitsReports: false,
};
