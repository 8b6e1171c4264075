// What progress is: of an operation, of each instance that it is about, and of the rollouts that it began.
import type { Rollout } from "../model/rollout.ts";

/** Why an instance has no machine, as the scheduler sees it. */
export interface Waiting {
  readonly reason: string;
  /** Nothing but a change by a person or a new machine helps. A pause or a stop under way is not final. */
  readonly final: boolean;
}

export interface ProgressFacts {
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** Instances without a machine, by name; from the scheduler's plan over the same snapshot. */
  readonly waiting: ReadonlyMap<string, Waiting>;
  /** Instances that are to move and stay for now, by name: why, in words; from the same plan. */
  readonly stays?: ReadonlyMap<string, string>;
}

/** What an instance is to become. */
export type Want = "active" | "restarted" | "loaded" | "gone" | "moved" | "updated";

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

/** How far a rollout has come that the operation began. */
export interface RolloutProgress {
  readonly unit: string;
  readonly state: Rollout["state"];
  /** Numbers of the versions. */
  readonly from: number;
  readonly to: number;
  readonly updated: number;
  readonly total: number;
  /** Instances of the latest batch. */
  readonly batch: number;
  /** "waits for web@4.container"; empty when it waits for nothing. */
  readonly waitsFor: string;
  /** Why it went back, or stands still. */
  readonly reason: string;
}

export interface Progress {
  /** Nothing more is to be expected: every item is ready or has failed. */
  readonly done: boolean;
  readonly outcome: "running" | "succeeded" | "partly" | "failed";
  readonly items: readonly ProgressItem[];
  readonly rollouts: readonly RolloutProgress[];
}

/** How an item stands. */
export type Verdict = Pick<ProgressItem, "state" | "reason">;
