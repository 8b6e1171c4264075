// What the API says of instances: of a unit on a machine.
import type { UnitStatus, healthStates } from "../../model/schedule.ts";
import type { DesiredState } from "../../model/unit.ts";

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
