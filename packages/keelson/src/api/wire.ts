// What the API sends, as JSON. The command line and the dashboard read exactly this; the store's records
// stay behind it. Times are Unix milliseconds, sizes bytes, revisions the store's.
import type { JobRun } from "../model/job.ts";
import type { RolloutState } from "../model/rollout.ts";
import type { UpdateStepName } from "../model/system-update.ts";
import type { DesiredState } from "../model/unit.ts";
import type { healthStates, UnitStatus } from "../model/schedule.ts";
import type { ErrorBody } from "../base/errors.ts";
import type { Forecast } from "../model/forecast.ts";
import type { Change, Impact } from "../model/operation.ts";
import type { ClusterEvent } from "../history/cluster-event.ts";
import type { InstanceTimeline } from "../history/timeline.ts";
import type { Rollout } from "../model/rollout.ts";
import type { Progress } from "../safeguards/progress.ts";
export type { GrowthPlan } from "../store-cluster/growth-plan.ts";
export type { MoveLine } from "../store-cluster/move-run.ts";
export type { StoreMemberView, StoreStatusView } from "../store-cluster/status.ts";
import type { Indispensable } from "../scheduler/foretelling/survivability.ts";
import type { WhatIf } from "../scheduler/foretelling/what-if.ts";
import type { MachineReasons } from "../scheduler/reasons/why-machine.ts";
import type { InstanceReasons } from "../scheduler/reasons/why.ts";

/** `lost`: remembered as a member, but its lease has run out. */
export type MachineState = "up" | "lost";

/** Of memory in bytes, and of processors. */
export interface AmountsView {
  readonly memoryBytes: number;
  readonly cpus: number;
}

/** Settings of the whole cluster. */
export interface SettingsView {
  readonly revision: number;
  /** Moves units to machines that came back or were added, without being asked. */
  readonly autoRebalance: boolean;
  /** How many times what there is requests may take: 1 for no more than there is. */
  readonly overcommit: { readonly memory: number; readonly cpu: number };
}

export interface MachineView {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly apiPort: number;
  readonly state: MachineState;
  readonly leader: boolean;
  /** Since when it is in the cluster without a break; of a lost machine, when it joined. */
  readonly since: number;
  readonly joined: number;
  readonly os: { readonly id: string; readonly version: string; readonly kernel: string } | null;
  readonly keeldVersion: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly capacity: {
    readonly cpus: number;
    readonly memoryBytes: number;
    readonly unenforced: readonly string[];
  } | null;
  /** What of it is there for units; null while the machine is lost. */
  readonly allocatable: AmountsView | null;
  /** What requests may take in all: `allocatable`, as many times as overcommit says. */
  readonly room: AmountsView | null;
  /** What the units that are placed here ask for. */
  readonly requested: AmountsView;
  /** Instances that are placed here, companions not counted. */
  readonly instances: number;
  /** It takes no new units; left out when it does. */
  readonly cordoned?: true;
  /** Its units are on their way elsewhere: since when, until when, why. Left out when they are not. */
  readonly drain?: {
    readonly since: number;
    readonly deadline?: number | undefined;
    readonly reason: string;
  };
}

/**
 * An instance in one word: `waiting` for a machine, `placed` with no word from the machine yet, `starting`,
 * `healthy`, `unhealthy`, `failed`, `stopped`, `loaded` (there and not asked to run), `unknown` (its machine is lost);
 * of a unit that runs to its end also `running` and `succeeded`.
 */
export const instanceStates = [
  "waiting",
  "placed",
  "starting",
  "healthy",
  "unhealthy",
  "failed",
  "stopped",
  "loaded",
  "running",
  "succeeded",
  "unknown",
] as const;
export type InstanceState = (typeof instanceStates)[number];

export interface InstanceView {
  /** `<machine>/<name>`, or `/<name>` while it waits: unique within a snapshot. */
  readonly key: string;
  readonly name: string;
  /** The unit that it comes from: the template, or its own name. */
  readonly unit: string;
  /** Machine id; null while it waits. */
  readonly machine: string | null;
  readonly machineName: string | null;
  readonly desired: DesiredState;
  readonly state: InstanceState;
  /** systemd's words; empty before the machine has reported. */
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  readonly health: (typeof healthStates)[number];
  readonly hash: string;
  readonly invocation: string;
  readonly since: number | null;
  readonly restarts: number;
  /** Why it is not as desired; empty when it is. */
  readonly reason: string;
  /** Lately, on this machine; null for none. `nextTry`: when the machine tries again by itself. */
  readonly failures: NonNullable<UnitStatus["failures"]> | null;
  /** Why it is on this machine. */
  readonly because: string;
  readonly addresses: readonly string[];
  /** When the leader placed it. */
  readonly placed: number | null;
  readonly steps: Readonly<Record<string, number>>;
  /** A file that other units of its machine refer to: written, not started by itself. */
  readonly companion: boolean;
  /** Limits of its file that its machine's kernel does not hold: memory, cpu, pids. Left out for none. */
  readonly unenforced?: readonly string[];
}

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

/** One run of a unit that runs to its end. Times are Unix milliseconds, null for what has not happened. */
export interface RunView {
  /** Counts the runs, from 1. */
  readonly number: number;
  /** What started it, in words. */
  readonly cause: string;
  readonly state: "waiting" | "running" | "succeeded" | "failed";
  /** From 1: it counts on after a failure, and after the loss of a machine. */
  readonly attempt: number;
  readonly failures: number;
  readonly losses: number;
  /** Machine id of the last attempt. */
  readonly machine: string | null;
  readonly machineName: string | null;
  readonly hash: string;
  /** systemd's, of the last attempt: `journalctl _SYSTEMD_INVOCATION_ID=`. */
  readonly invocation: string;
  /** Why it failed, or what its last attempt failed of; empty otherwise. */
  readonly reason: string;
  /** Exit status of the last attempt. */
  readonly status: number | null;
  readonly asked: number;
  readonly started: number | null;
  readonly ended: number | null;
  /** When the next attempt begins. */
  readonly notBefore: number | null;
}

export interface JobView {
  /** The instance; of a global unit `<instance>@<machine>`. */
  readonly name: string;
  readonly instance: string;
  readonly unit: string;
  /** Of a global unit: the machine that these are the runs of. */
  readonly machine: string | null;
  readonly machineName: string | null;
  /** The newest first: the one under way, and the last 20 results. */
  readonly runs: readonly RunView[];
}

/** `GET /v1/jobs`. */
export interface JobsView {
  readonly revision: number;
  readonly jobs: readonly JobView[];
}

/** A timer that the leader fires for the whole cluster. */
export interface TimerView {
  readonly name: string;
  readonly unit: string;
  /** What it starts. */
  readonly target: string;
  readonly desired: DesiredState;
  readonly activated: number | null;
  /** The last due time, and what became of it. */
  readonly last: number | null;
  readonly outcome: string;
  /** When it fires, and the due time without the random delay. */
  readonly next: number | null;
  readonly due: number | null;
  /** Why it does not fire; empty when it does. */
  readonly reason: string;
}

/** `GET /v1/timers`. */
export interface TimersView {
  readonly revision: number;
  readonly timers: readonly TimerView[];
}

/** An operation without its changes. */
export interface OperationSummary {
  readonly id: string;
  readonly summary: string;
  readonly kind: string;
  readonly who: string;
  readonly via: string;
  readonly at: number;
  readonly expires: number;
  readonly state: "applying" | "applied";
  readonly impact: Impact;
  readonly units: number;
  /** Records beside units that it changed; left out for none. */
  readonly records?: number;
  readonly undoOf: string | null;
  readonly undoneBy: string | null;
}

/** An operation in full. */
export interface OperationView extends OperationSummary {
  readonly changes: readonly Change[];
  /** In the answer to a change: what whoever asked should know. */
  readonly notes?: readonly string[];
}

/** What a change would do, in describePlan's form. `refusal` says why a guard would not let it pass as asked. */
export interface PlanView {
  readonly kind: string;
  readonly summary: string;
  readonly changes: readonly Change[];
  /** Changes of records beside units; left out for none. */
  readonly records?: readonly unknown[];
  readonly impact: Impact;
  /** Units that are already as asked. */
  readonly unchanged: readonly string[];
  readonly notes: readonly string[];
  /** What it would move. */
  readonly forecast?: Forecast;
  readonly undoOf?: string;
  readonly removesMachine?: string;
  readonly removesOperations?: number;
  readonly refusal: ErrorBody | null;
}

/** One line of `/v1/operations/ID/progress`. */
export interface ProgressView extends Progress {
  readonly operation: string;
  readonly revision: number;
  readonly at: number;
}

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

/** Why a unit's instances are where they are, or nowhere. */
export interface WhyView {
  readonly revision: number;
  readonly unit: string;
  readonly instances: readonly InstanceReasons[];
  /** Instances of the unit that are not among them, for they are too many: ask for one by its name. */
  readonly leftOut: number;
}

/** Why a machine is as it is, what it has and what it refuses. */
export interface WhyMachineView extends MachineReasons {
  readonly revision: number;
}

/** What would happen if something were the case. Machines stand by their ids; `machines` has their names. */
export interface WhatIfView extends WhatIf {
  /** Revision of the store that it starts from. */
  readonly revision: number;
  /** What is supposed, in words: "m2 is lost". */
  readonly supposed: string;
}

/** A machine with which the store would go. */
export interface StoreRisk {
  readonly machine: string;
  readonly name: string;
  readonly reason: string;
}

/** Whether the cluster can lose any one machine. */
export interface SurvivabilityView {
  /** Null while it has never been worked out. */
  readonly answer: "yes" | "no" | null;
  /** It is about the cluster as it is now; otherwise it is being worked out, and this was so at `at`. */
  readonly isCurrent: boolean;
  readonly revision: number;
  readonly at: number | null;
  /** The answer in a sentence, without a full stop. */
  readonly words: string;
  /** Machines that it cannot lose, with one instance that would be nowhere. */
  readonly indispensable: readonly Indispensable[];
  /** There may be more of them. */
  readonly isCut: boolean;
  /** Machines that were looked at. */
  readonly machines: number;
  readonly store: readonly StoreRisk[];
}

/** The way of a unit's instances from the latest change to where they are. */
export interface TimelineView {
  readonly revision: number;
  readonly unit: string;
  readonly instances: readonly InstanceTimeline[];
}

/** First line of `GET /v1/history`: how far back what follows goes. */
export interface HistoryStart {
  readonly cluster: string;
  /** The store's history begins behind this revision. */
  readonly since: number;
  /** Unix milliseconds of the first event that is known; null when none is. */
  readonly firstAt: number | null;
  /** Events that were left out because they are too many. */
  readonly leftOut: number;
}
/** Every other line. */
export type EventView = ClusterEvent;

export interface LeaderView {
  readonly machine: string;
  readonly name: string | null;
}

export interface SnapshotView {
  readonly revision: number;
  readonly cluster: string;
  /** Wall time of the answering machine. */
  readonly at: number;
  readonly leader: LeaderView | null;
  readonly machines: readonly MachineView[];
  readonly units: readonly UnitView[];
  readonly instances: readonly InstanceView[];
  /** Alarms by name, in words. */
  readonly alarms: Readonly<Record<string, string>>;
  /** The latest twenty, newest first. */
  readonly operations: readonly OperationSummary[];
}

/** What differs from the revision before; whatever is not named is as it was. */
export interface ChangeEvent {
  readonly revision: number;
  readonly at: number;
  readonly machines?: readonly MachineView[];
  readonly units?: readonly UnitView[];
  readonly instances?: readonly InstanceView[];
  readonly removed?: {
    readonly machines?: readonly string[];
    readonly units?: readonly string[];
    readonly instances?: readonly string[];
  };
  readonly leader?: LeaderView | null;
  readonly alarms?: Readonly<Record<string, string>>;
  readonly operations?: readonly OperationSummary[];
}

export interface ContactView {
  readonly machine: string;
  readonly hasContact: boolean;
  /** Since the store last answered; null if it never has. */
  readonly ageMs: number | null;
}

export interface HealthView {
  readonly cluster: string;
  readonly machine: { readonly id: string; readonly name: string; readonly address: string };
  readonly roles: readonly string[];
  readonly version: string;
  readonly contact: ContactView;
}

export interface ImageView {
  readonly name: string;
  readonly archive: string;
  readonly imageId: string;
  readonly bytes: number;
  readonly holders: readonly string[];
  readonly loaded: number;
}

/** The operating systems of the cluster's machines, and the latest update of them. */
export interface SystemView {
  readonly revision: number;
  readonly update: SystemUpdateView | null;
  /** By name. */
  readonly machines: readonly MachineSystemView[];
}

export interface SystemUpdateView {
  /** The operation that began it. */
  readonly operation: string;
  /** A version, or `previous`. */
  readonly to: string;
  readonly source: string | null;
  readonly atOnce: number;
  readonly drainSeconds: number | null;
  readonly state: "running" | "paused" | "halted" | "done" | "aborted";
  readonly reason: string;
  readonly done: number;
  readonly failed: number;
  readonly total: number;
  readonly started: number;
  readonly changed: number;
}

export interface MachineSystemView {
  readonly machine: string;
  readonly name: string;
  /** Whether the machine is in the cluster now: what is told of its system is the latest that it said. */
  readonly up: boolean;
  /** Null for a machine that does not run from one of two slots. */
  readonly system: {
    readonly version: string;
    readonly variant: string;
    readonly slot: "a" | "b";
    readonly onTrial: boolean;
    /** What the next start takes, and what is in the other slot; null for none. */
    readonly next: string | null;
    readonly other: string | null;
    readonly keepsStore: boolean;
    readonly failed: readonly { readonly version: string; readonly reason: string; readonly at: number }[];
  } | null;
  /** Its part in the latest update; null for none. */
  readonly step: {
    readonly name: UpdateStepName;
    readonly since: number;
    readonly reason: string;
    /** Place in the order of turns, from 1. */
    readonly turn: number;
    /** Bytes, while it writes the release. */
    readonly progress: { readonly done: number; readonly total: number } | null;
  } | null;
}
