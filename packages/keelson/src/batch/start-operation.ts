// What a timer of the cluster does with a unit that does not run to its end: it starts it, unless it runs.
import type { TimerTarget } from "../model/cluster-timer.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { DeciderScene } from "../model/decision.ts";
import { type Operation, undoMs } from "../model/operation.ts";
import type { UnitStatus } from "../model/schedule.ts";
import type { Unit } from "../model/unit.ts";

/** `undefined` when it runs, or is about to. */
export function startOperation(
  { instance, unit }: TimerTarget,
  cause: string,
  { snapshot, wallMs, newId }: DeciderScene,
): Operation | undefined {
  const revive = unit.desired === "launched" && hasStopped(instance, snapshot);
  if (unit.desired === "launched" && !revive) return undefined;
  const after: Unit = {
    ...unit,
    desired: "launched",
    restarts: unit.restarts + (revive ? 1 : 0),
    generation: unit.generation + 1,
    changed: wallMs,
  };
  return {
    id: newId(),
    who: "keelson",
    via: "leader",
    summary: `start ${unit.name}: ${cause}`,
    kind: "set-desired",
    changes: [{ unit: unit.name, before: unit, after }],
    impact: { affected: 0, total: snapshot.units.size, percent: 0, instances: 0, reversible: "exactly" },
    at: wallMs,
    expires: wallMs + undoMs,
    state: "applying",
  };
}

function hasStopped(instance: string, { schedule, statuses }: ClusterSnapshot): boolean {
  for (const [machine, reported] of statuses) {
    const status = reported.get(instance);
    const order = schedule.get(machine)?.get(instance);
    if (status === undefined || order === undefined || status.restarts < order.restarts) continue;
    if (isOver(status)) return true;
  }
  return false;
}

const isOver = ({ active, steps }: UnitStatus): boolean =>
  active === "failed" || (active === "inactive" && steps["active"] !== undefined);
