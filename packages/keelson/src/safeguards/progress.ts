// How far an operation has come: pure, from the snapshot. Who waits asks this after every change.
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Operation } from "../model/operation.ts";

/** Why an instance has no machine, as the scheduler sees it. */
export interface Waiting {
  readonly reason: string;
  /** Nothing but a change by a person or a new machine helps. A pause or a stop under way is not final. */
  readonly final: boolean;
}

export interface ProgressFacts {
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** Whether the instance runs on every machine. */
  readonly isGlobal: (instance: string, hash: string) => boolean;
  /** Instances without a machine, by name; from the scheduler's plan over the same snapshot. */
  readonly waiting: ReadonlyMap<string, Waiting>;
}

/** What an instance is to become. */
export type Want = "active" | "restarted" | "loaded" | "gone";

export interface ProgressItem {
  readonly instance: string;
  /** The unit that it comes from. */
  readonly unit: string;
  readonly machine: string | undefined;
  readonly want: Want;
  readonly state: "pending" | "ready" | "failed";
  /** Why it is not ready, in words; empty when it is. */
  readonly reason: string;
  /** From the operation's time to the state that this item waits for; so far, while it is pending. */
  readonly ms: number;
}

export interface Progress {
  /** Nothing more is to be expected: every item is ready or has failed. */
  readonly done: boolean;
  readonly outcome: "running" | "succeeded" | "partly" | "failed";
  readonly items: readonly ProgressItem[];
}

/** What an operation has reached in this snapshot. */
export type ProgressOf = (operation: Operation, snapshot: ClusterSnapshot, facts: ProgressFacts) => Progress;
