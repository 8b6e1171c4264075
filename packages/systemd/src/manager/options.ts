import type { Bus } from "./bus.ts";
import type { Clock, SystemdLog } from "./clock.ts";

export interface ManagerOptions {
  /** The system bus's socket; for a local machine `/proc/PID/root/run/dbus/system_bus_socket`. */
  readonly socketPath?: string | undefined;
  /** Gives up connecting for the first time. */
  readonly signal?: AbortSignal | undefined;
  readonly log?: SystemdLog | undefined;
  readonly clock?: Clock | undefined;
  /** How to reach the bus; by `socketPath` unless given. */
  readonly dial?: ((signal: AbortSignal) => Promise<Bus>) | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** For the answer, in milliseconds; 25 s if not given. */
  readonly timeoutMs?: number | undefined;
}

export interface JobOptions {
  readonly signal?: AbortSignal | undefined;
  /** For the end of the job, in milliseconds; 120 s if not given. The job itself goes on in systemd. */
  readonly timeoutMs?: number | undefined;
  /** What happens to jobs that are in the way; `replace` if not given. */
  readonly mode?: "replace" | "fail" | "ignore-dependencies" | "ignore-requirements" | "isolate" | undefined;
}

/** Which of the unit's processes a signal goes to. */
export type KillWhom = "all" | "main" | "control";

/** Whether systemd as a whole is up: `starting`, `running`, `degraded`, `maintenance`, `stopping`, ... */
export type SystemState =
  | "initializing"
  | "starting"
  | "running"
  | "degraded"
  | "maintenance"
  | "stopping"
  | "offline"
  | "unknown"
  | (string & {});

/** Options of `enable`. */
export interface EnableOptions {
  /** In /run, so that it is gone after a boot; true if not given. */
  readonly runtime?: boolean | undefined;
  /** Replaces links that are in the way. */
  readonly force?: boolean | undefined;
}
