// What the API says of a unit’s versions and their rollouts.
import type { Rollout } from "../../model/rollout.ts";

/** The latest rollout of a unit. */
export interface RolloutView {
  readonly unit: string;
  /** The operation that began it. */
  readonly operation: string;
  readonly state: Rollout["state"];
  readonly from: { readonly number: number; readonly hash: string };
  readonly to: { readonly number: number; readonly hash: string };
  /** Instances that are to have the new version, of all. */
  readonly updated: number;
  readonly total: number;
  /** The latest batch: instances, of global units `UNIT@MACHINE-ID`. */
  readonly batch: readonly string[];
  /** What it waits for, in words; empty when it is not under way. */
  readonly waitsFor: string;
  readonly reason: string;
  readonly started: number;
  readonly changed: number;
}

/** One version of a unit's file. */
export interface VersionView {
  readonly number: number;
  readonly hash: string;
  /** The operation that brought it; null when that is forgotten. */
  readonly operation: string | null;
  readonly who: string;
  readonly at: number;
  /** The one that all instances have, or, while a rollout is not over, had before. */
  readonly current: boolean;
  /** The one that is being rolled out. */
  readonly rolling: boolean;
  /** Instances that are to have it. */
  readonly instances: number;
  /** Why the unit went back from it. */
  readonly failed: string | null;
}
