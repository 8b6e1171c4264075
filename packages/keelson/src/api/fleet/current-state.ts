// fleet's current state from what machines report: `launched` means that the order to start was carried out, by
// its newest file and restart, whatever became of the unit since; `loaded` that it is there and is not started.
import type { Job } from "../../model/job.ts";
import type { ScheduleEntry, UnitStatus } from "../../model/schedule.ts";
import type { DesiredState, Unit } from "../../model/unit.ts";

const running = new Set(["active", "activating", "reloading", "refreshing", "deactivating"]);

export interface StateSources {
  readonly record: Pick<Unit, "desired" | "restarts">;
  readonly entry: ScheduleEntry | undefined;
  readonly status: UnitStatus | undefined;
  /** Of a unit that runs to its end. */
  readonly job: Job | undefined;
}

/** Of a unit that no machine reports, `inactive`. */
export function currentState({ record, entry, status, job }: StateSources): DesiredState {
  if (job !== undefined && record.desired === "launched") return stateOfJob(job, record);
  if (status === undefined) return "inactive";
  if (record.desired !== "launched") return running.has(status.active) ? "launched" : "loaded";
  if (entry?.desired !== "launched") return "loaded";
  if (entry.restarts < record.restarts || status.hash !== entry.hash) return "loaded";
  const isCarriedOut = status.restarts >= entry.restarts && wasStarted(status);
  return isCarriedOut || wasRefused(status) ? "launched" : "loaded";
}

/** What is loaded and was asked to start a moment ago looks the same until its machine has begun. */
const wasStarted = ({ active, health, steps }: UnitStatus): boolean =>
  active !== "inactive" || health === "failed" || steps["started"] !== undefined;

/**
 * systemd would not start what lies there by this file (a socket without its service), and the machine tries again and
 * again: the order to start was given, so nobody waits for it.
 */
const wasRefused = ({ active, restarts, reason, steps }: UnitStatus): boolean =>
  active === "inactive" && restarts < 0 && reason !== "" && steps["started"] !== undefined;

/** What runs to its end is launched from its first attempt on, and stays it. */
function stateOfJob({ runs, restarts }: Job, record: StateSources["record"]): DesiredState {
  const last = runs.at(-1);
  const isBegun = last !== undefined && restarts === record.restarts && last.machine !== "";
  return isBegun ? "launched" : "inactive";
}

/** What systemd would say of a unit that ran to its end and stayed; its last machine has forgotten it. */
export function endOfJob(job: Job | undefined): JobEnd | undefined {
  const last = job?.runs.at(-1);
  if (last?.state !== "succeeded" && last?.state !== "failed") return undefined;
  const isFine = last.state === "succeeded";
  const active = isFine ? "active" : "failed";
  return { machine: last.machine, hash: last.hash, active, sub: isFine ? "exited" : "failed" };
}

export interface JobEnd {
  readonly machine: string;
  readonly hash: string;
  readonly active: string;
  readonly sub: string;
}
