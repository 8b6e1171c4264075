// What is asked about: one instance, with everything that may be a reason for how it is. Each file of this folder
// holds the reasons of one matter, as functions of it.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { ScheduleEntry, UnitStatus } from "../../model/schedule.ts";
import type { Unit } from "../../model/unit.ts";
import type { Pass } from "../schedule.ts";

export interface PlacedOrder {
  readonly machine: string;
  readonly machineName: string;
  readonly entry: ScheduleEntry;
  readonly status: UnitStatus | undefined;
}

export interface Subject {
  /** The instance. */
  readonly name: string;
  /** The record that it comes from. */
  readonly unit: Unit | undefined;
  /** Its orders, companions left out. */
  readonly orders: readonly PlacedOrder[];
  readonly snapshot: ClusterSnapshot;
  readonly pass: Pass;
  /** Unix milliseconds. */
  readonly wallMs: number;
}

export interface Reason {
  /** One word for programs: what kind of reason it is. */
  readonly topic: string;
  /** A sentence for people, without a full stop. */
  readonly text: string;
}

export type Finder = (subject: Subject) => readonly Reason[];
