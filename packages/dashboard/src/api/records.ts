// What the daemon tells, as far as this page shows it: a copy of the API's own description, since the
// dashboard shares no code with the daemon. decode.ts checks it. Times are Unix milliseconds.

export type MachineState = "up" | "lost";

export interface Machine {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly state: MachineState;
  readonly leader: boolean;
  readonly since: number;
  readonly os: { readonly id: string; readonly version: string; readonly kernel: string } | null;
  readonly keeldVersion: string;
  readonly capacity: { readonly cpus: number; readonly memoryBytes: number } | null;
  readonly instances: number;
  /** It takes no new units. */
  readonly cordoned: boolean;
  /** Its units are on their way elsewhere. */
  readonly drain: { readonly reason: string } | null;
}

export type InstanceState =
  | "waiting"
  | "placed"
  | "starting"
  | "healthy"
  | "unhealthy"
  | "failed"
  | "stopped"
  | "loaded"
  | "running"
  | "succeeded"
  | "unknown";

export interface Instance {
  readonly key: string;
  readonly name: string;
  readonly unit: string;
  readonly machine: string | null;
  readonly machineName: string | null;
  readonly desired: string;
  readonly state: InstanceState;
  readonly active: string;
  readonly sub: string;
  readonly since: number | null;
  readonly reason: string;
  /** Lately, on its machine. */
  readonly failures: { readonly count: number } | null;
  readonly because: string;
  readonly addresses: readonly string[];
  readonly placed: number | null;
  readonly steps: Readonly<Record<string, number>>;
  readonly companion: boolean;
}

export type UnitState =
  | "healthy"
  | "loaded"
  | "inactive"
  | "starting"
  | "waiting"
  | "degraded"
  | "failed"
  | "running"
  | "succeeded";

export interface Unit {
  readonly name: string;
  readonly desired: string;
  readonly state: UnitState;
  readonly reason: string;
  readonly wanted: number;
  readonly healthy: number;
  readonly owner: string;
  readonly changed: number;
  /** The latest one, unless it is done. */
  readonly rollout: {
    readonly state: string;
    readonly updated: number;
    readonly reason: string;
  } | null;
  /** Of a timer; 0 for never. */
  readonly timer: {
    readonly next: number;
    readonly last: number;
    readonly outcome: string;
    readonly reason: string;
  } | null;
  /** The latest run of a unit that runs to its end. */
  readonly run: {
    readonly number: number;
    readonly state: string;
    readonly ended: number;
    readonly reason: string;
  } | null;
}

export interface Operation {
  readonly id: string;
  readonly summary: string;
  readonly kind: string;
  readonly who: string;
  readonly via: string;
  readonly at: number;
  readonly expires: number;
  readonly state: string;
  readonly units: number;
  readonly undoOf: string | null;
  readonly undoneBy: string | null;
}

export interface Leader {
  readonly machine: string;
  readonly name: string | null;
}

/** The cluster at one revision of the store. */
export interface Cluster {
  readonly revision: number;
  readonly cluster: string;
  readonly at: number;
  readonly leader: Leader | null;
  readonly machines: readonly Machine[];
  readonly units: readonly Unit[];
  readonly instances: readonly Instance[];
  readonly alarms: Readonly<Record<string, string>>;
  readonly operations: readonly Operation[];
}

/** What differs from the revision before. */
export interface Change extends Partial<Omit<Cluster, "cluster">> {
  readonly revision: number;
  readonly at: number;
  readonly removed: {
    readonly machines: readonly string[];
    readonly units: readonly string[];
    readonly instances: readonly string[];
  };
}

export interface Heartbeat {
  readonly revision: number;
  readonly at: number;
  /** Since the daemon heard from the store; null while it hears it. */
  readonly silentMs: number | null;
}

/** The operating system of a machine that runs from one of two slots. */
export interface MachineSystem {
  readonly machine: string;
  readonly slots: {
    readonly version: string;
    readonly slot: string;
    readonly onTrial: boolean;
    /** What the next start takes, when that is another version. */
    readonly next: string | null;
    readonly other: string | null;
    readonly failed: readonly { readonly version: string; readonly reason: string; readonly at: number }[];
  } | null;
  /** Its part in the latest update; null for none. */
  readonly step: {
    readonly name: string;
    readonly reason: string;
    readonly progress: { readonly done: number; readonly total: number } | null;
  } | null;
}

/** The operating systems of all machines. */
export interface Systems {
  /** The version that machines are being brought to; null when no update is under way. */
  readonly updateTo: string | null;
  readonly machines: readonly MachineSystem[];
}

/** Whether the cluster can lose any one machine. */
export interface Survivability {
  readonly answer: string | null;
  readonly isCurrent: boolean;
  /** When this was so. */
  readonly at: number | null;
  readonly words: string;
}

/** Why an instance is how it is, as sentences. */
export interface InstanceReasons {
  readonly name: string;
  readonly waitsFor: string;
  readonly reasons: readonly { readonly topic: string; readonly text: string }[];
}

/** The way of an instance from its latest change to how it is. */
export interface InstanceTimeline {
  readonly name: string;
  readonly machineName: string;
  readonly steps: readonly {
    readonly kind: string;
    readonly at: number;
    readonly afterMs: number;
    readonly tookMs: number;
    readonly text: string;
    readonly why: string;
  }[];
  readonly totalMs: number;
  readonly isDone: boolean;
}
