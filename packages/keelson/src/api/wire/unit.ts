// What the API says of units.
import type { JobRun } from "../../model/job.ts";
import type { RolloutState } from "../../model/rollout.ts";
import type { DesiredState } from "../../model/unit.ts";

/** A unit in one word: `healthy` is as desired; `inactive` is known and not on any machine, as desired. */
export const unitStates = [
  "healthy",
  "loaded",
  "inactive",
  "starting",
  "waiting",
  "degraded",
  "failed",
  "running",
  "succeeded",
] as const;

export type UnitState = (typeof unitStates)[number];

export interface UnitView {
  readonly name: string;
  readonly desired: DesiredState;
  readonly state: UnitState;
  /** Why it is not as desired: the worst instance's reason; empty when it is. */
  readonly reason: string;
  readonly hash: string;
  /** Of a template: how many instances are asked for. */
  readonly replicas: number;
  /** Instances that should be there now, and those that are as desired. */
  readonly wanted: number;
  readonly healthy: number;
  readonly restarts: number;
  readonly generation: number;
  readonly owner: string;
  readonly created: number;
  readonly changed: number;
  /** The latest one, unless it is done; `updated` instances have the new file. */
  readonly rollout: {
    readonly state: RolloutState;
    readonly updated: number;
    readonly reason: string;
    readonly changed: number;
  } | null;
  /** Of a timer of the cluster; 0 for never. */
  readonly timer: {
    readonly next: number;
    readonly last: number;
    readonly outcome: string;
    readonly reason: string;
  } | null;
  /** The latest run of a unit that runs to its end; of a template and a global unit none is shown here. */
  readonly run: {
    readonly number: number;
    readonly state: JobRun["state"];
    readonly ended: number;
    readonly notBefore: number;
    readonly reason: string;
  } | null;
}
