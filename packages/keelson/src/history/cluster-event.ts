// One thing that happened in the cluster, with what it followed from.

export const eventKinds = [
  /** A person or a program asked for a change. */
  "operation",
  /** The leader's orders. */
  "placed",
  "ordered",
  "withdrawn",
  /** What the machine reports. */
  "received",
  "image",
  "written",
  "started",
  "active",
  "healthy",
  "unhealthy",
  "failed",
  "stopped",
  "ended",
  "gone",
  /** What the leader does over a longer time. */
  "rollout",
  "move",
  "job",
  "timer",
  /** Machines and the cluster itself. */
  "machine",
  "leader",
  "alarm",
] as const;
export type EventKind = (typeof eventKinds)[number];

export interface ClusterEvent {
  /** Revision of the store that shows it: the order of events. */
  readonly revision: number;
  /** Unix milliseconds, by the clock of whoever did it. */
  readonly at: number;
  /** `false` for what no record tells the time of: it happened no earlier than `at`. */
  readonly exact: boolean;
  readonly kind: EventKind;
  /** Instances, or units for an operation, that it is about. */
  readonly units: readonly string[];
  /** Machine id; empty for none. */
  readonly machine: string;
  readonly machineName: string;
  /** What happened, in words that follow the unit's or the machine's name: "placed on m2". */
  readonly text: string;
  /** Why, in words; empty when there is nothing to say. */
  readonly why: string;
  /** The operation that it follows from, and who asked for it; empty for none. */
  readonly operation: string;
  readonly who: string;
  /** Milliseconds since what it follows from: the operation, or the leader's own decision. */
  readonly afterMs: number | null;
}
