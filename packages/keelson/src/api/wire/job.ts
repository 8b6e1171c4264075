// What the API says of units that run to their end.
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
