// What the scheduler is told about time, and what it gives back.
import type { ScheduleEntry } from "../model/schedule.ts";

/** Facts that no snapshot holds. `nowMs`, `continuousSinceMs` and `goneSince` are on one monotonic clock. */
export interface SchedulerFacts {
  readonly nowMs: number;
  /** Unix milliseconds, for records. */
  readonly wallMs: number;
  /** Since when the machines were watched without a break; `undefined` while the store is away. */
  readonly continuousSinceMs: number | undefined;
  /** Members that do not report, and since when this is known. */
  readonly goneSince: ReadonlyMap<string, number>;
  /** A machine's lease. */
  readonly leaseMs: number;
  /** Create revision of the leader's election key. */
  readonly fence: number;
  /**
   * So many orders for units without a machine are enough for one pass; the rest has its turn in the next one. As many
   * as there are, unless given. Only the leader, which passes again at once, has a reason to.
   */
  readonly mostPlaced?: number;
}

export type Write =
  | { readonly machine: string; readonly entry: ScheduleEntry }
  | { readonly machine: string; readonly remove: string; readonly because: string };

/** Writes that belong together. They may be cut anywhere: every beginning of them is safe. */
export interface WriteGroup {
  readonly writes: readonly Write[];
  /** Machines that must still be gone when this is written. */
  readonly absent: readonly string[];
}

export interface Unplaced {
  /** In words, for all machines together. */
  readonly reason: string;
  /** Only another order, another machine or a person helps. */
  readonly final: boolean;
}

export interface Plan {
  /** To be written in this order. When one fails, the rest is void: look again. */
  readonly groups: readonly WriteGroup[];
  /** Instances that have no machine to run on, by name. */
  readonly unplaced: ReadonlyMap<string, Unplaced>;
  /** Instances that are to move and stay for now, by name: why, in words. */
  readonly stays: ReadonlyMap<string, string>;
  /** Alarms that should stand now, by name; all others of the scheduler should not. */
  readonly alarms: ReadonlyMap<string, string>;
  /** Whether a report of a machine may change what is to be done: something has to stop or to answer first. */
  readonly awaitsReports: boolean;
  /** When to look again although nothing changes, on the clock of `nowMs`. */
  readonly againMs: number | undefined;
  /** Whether newcomers wait for their turn: the next pass is to come at once. */
  readonly isCut: boolean;
}

export const massFailureAlarm = "mass-failure";
/** Units of a machine ask for more than it has for them: it has become smaller, or they have become larger. */
export const overfullAlarm = "overfull";
