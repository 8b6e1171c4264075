// What the API says of the cluster at one revision, and from one to the next.
//
// The folder: what the API sends, as JSON. The command line and the dashboard read exactly this; the store's records
// stay behind it. Times are Unix milliseconds, sizes bytes, revisions the store's.
import type { InstanceView } from "./instance.ts";
import type { MachineView } from "./machine.ts";
import type { OperationSummary } from "./operation.ts";
import type { UnitView } from "./unit.ts";

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
