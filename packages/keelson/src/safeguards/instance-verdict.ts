// Whether an instance is on a machine as it was asked for, from its order and from what systemd reports.
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { ScheduleEntry, UnitStatus } from "../model/schedule.ts";
import type { Unit } from "../model/unit.ts";
import type { Verdict } from "./progress-item.ts";

/** What a machine has of an instance. */
export interface Place {
  readonly machine: string;
  readonly entry: ScheduleEntry | undefined;
  readonly status: UnitStatus | undefined;
}

/** Whether it is there as the unit says; `waiting` is why the scheduler has no machine for it. */
export function judge(
  { machine, entry, status }: Place,
  unit: Unit,
  scene: { readonly snapshot: ClusterSnapshot; readonly waiting: string | undefined },
): Verdict {
  const name = machineName(machine, scene.snapshot);
  const pending = (reason: string): Verdict => ({ state: "pending", reason });
  if (!scene.snapshot.machines.has(machine)) return pending(`${name} does not report`);
  if (entry?.hash !== unit.hash || entry.restarts < unit.restarts || entry.desired !== unit.desired) {
    return pending(scene.waiting ?? "waits for the leader");
  }
  if (status === undefined) return pending(`waits for ${name}`);
  if (status.hash !== unit.hash) return pending(status.reason || `${name} still has the unit as it was`);
  if (status.restarts < unit.restarts)
    return pending(status.reason || `is on its way: ${status.active} (${status.sub})`);
  if (status.load === "bad-setting" || status.load === "error") {
    return { state: "failed", reason: status.reason || `systemd cannot load it (${status.load})` };
  }
  if (unit.desired === "loaded") {
    const isStopped = status.active === "inactive" || status.active === "failed";
    return isStopped ? ready : pending(status.reason || `is still ${status.active}`);
  }
  if (status.active === "failed" || status.health === "failed") {
    return { state: "failed", reason: status.reason || `systemd reports it as failed (${status.sub})` };
  }
  // Its machine counted that as a failure; podman's own word may yet change.
  if (status.active === "active" && status.health === "unhealthy" && status.failures !== undefined)
    return { state: "failed", reason: status.reason || "its health check fails" };
  if (isUp(status) || hasRun(status)) return ready;
  return pending(status.reason || `is ${status.active} (${status.sub})`);
}

const ready: Verdict = { state: "ready", reason: "" };

const isUp = ({ active, health }: UnitStatus): boolean =>
  active === "active" && (health === "healthy" || health === "unknown");

/** A unit whose start succeeded, and that did its work and ended well: a oneshot, a job. systemd forgets it at once. */
const hasRun = ({ active, steps }: UnitStatus): boolean =>
  active === "inactive" && steps["active"] !== undefined;

export function machineName(id: string, snapshot: ClusterSnapshot): string {
  return snapshot.machines.get(id)?.name ?? snapshot.members.get(id)?.name ?? id.slice(0, 8);
}
