// The whole cluster at one revision of the store: what deciders look at.
import type { Image } from "./image.ts";
import type { Machine, Member } from "./machine.ts";
import type { Operation } from "./operation.ts";
import type { ScheduleEntry, UnitStatus } from "./schedule.ts";
import type { Unit } from "./unit.ts";

export interface ClusterSnapshot {
  /** Revision of the store that this shows. */
  readonly revision: number;
  readonly machines: ReadonlyMap<string, Machine>;
  readonly members: ReadonlyMap<string, Member>;
  readonly units: ReadonlyMap<string, Unit>;
  /** By machine id, then by unit name. */
  readonly schedule: ReadonlyMap<string, ReadonlyMap<string, ScheduleEntry>>;
  readonly statuses: ReadonlyMap<string, ReadonlyMap<string, UnitStatus>>;
  readonly operations: ReadonlyMap<string, Operation>;
  readonly images: ReadonlyMap<string, Image>;
  /** Machine id of the leader. */
  readonly leader: string | undefined;
  /** Alarms by name, in words. */
  readonly alarms: ReadonlyMap<string, string>;
}

/** A unit's file by its hash, from a cache; bodies are never part of a snapshot. */
export type BodySource = (hash: string) => string | undefined;
