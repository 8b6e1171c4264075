// The whole cluster at one revision of the store: what deciders look at.
import type { Image } from "./image.ts";
import type { Job, TimerRecord } from "./job.ts";
import type { Machine, Member } from "./machine.ts";
import { type ClusterSettings, defaultClusterSettings, type MachineSettings } from "./machine-settings.ts";
import type { Move } from "./move.ts";
import type { Operation } from "./operation.ts";
import type { Rollout, UnitVersions } from "./rollout.ts";
import type { ScheduleEntry, UnitStatus } from "./schedule.ts";
import type { SystemOrder, SystemReport, SystemUpdate } from "./system-update.ts";
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
  /** By machine id. */
  readonly machineSettings: ReadonlyMap<string, MachineSettings>;
  readonly settings: ClusterSettings;
  /** By instance. */
  readonly moves: ReadonlyMap<string, Move>;
  /** By unit. */
  readonly rollouts: ReadonlyMap<string, Rollout>;
  readonly versions: ReadonlyMap<string, UnitVersions>;
  readonly jobs: ReadonlyMap<string, Job>;
  readonly timers: ReadonlyMap<string, TimerRecord>;
  /** By machine id. */
  readonly systemOrders: ReadonlyMap<string, SystemOrder>;
  readonly systemReports: ReadonlyMap<string, SystemReport>;
  /** The latest update of the machines' system. */
  readonly systemUpdate: SystemUpdate | undefined;
  /** Machine id of the leader. */
  readonly leader: string | undefined;
  /** Alarms by name, in words. */
  readonly alarms: ReadonlyMap<string, string>;
}

/** A cluster of which nothing is known. */
export const emptyCluster: ClusterSnapshot = {
  revision: 0,
  machines: new Map(),
  members: new Map(),
  units: new Map(),
  schedule: new Map(),
  statuses: new Map(),
  operations: new Map(),
  images: new Map(),
  machineSettings: new Map(),
  settings: defaultClusterSettings,
  moves: new Map(),
  rollouts: new Map(),
  versions: new Map(),
  jobs: new Map(),
  timers: new Map(),
  systemOrders: new Map(),
  systemReports: new Map(),
  systemUpdate: undefined,
  leader: undefined,
  alarms: new Map(),
};

/** A unit's file by its hash, from a cache; bodies are never part of a snapshot. */
export type BodySource = (hash: string) => string | undefined;
