// What the API says of the machines’ operating systems and of the updates of them.
import type { UpdateStepName } from "../../model/system-update.ts";

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

/** One line of a machine's own record: `started`, `staged`, `failed`, `interrupted`, `refused`, `rollback`, `cancelled`, `restart`. */
export interface PastSystemChange {
  readonly at: number;
  readonly kind: string;
  readonly version: string;
  /** What ran. */
  readonly from?: string | undefined;
  /** `full`, `delta`, `present`. */
  readonly how?: string | undefined;
  /** Bytes that were fetched. */
  readonly bytes?: number | undefined;
  readonly seconds?: number | undefined;
  readonly why?: string | undefined;
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
    /** The latest updates and ways back, the oldest of them first. */
    readonly history: readonly PastSystemChange[];
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
