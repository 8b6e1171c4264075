// What the scheduler makes of a snapshot, for those who show it.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { instancesOf } from "../model/instances.ts";
import type { PlacementSource } from "../model/placement/cache.ts";
import type { SchedulerFacts } from "../scheduler/plan.ts";
import { schedule } from "../scheduler/schedule.ts";
import type { PlacementFacts } from "./views/cluster-projection.ts";

export interface SchedulingFacts extends PlacementFacts {
  /** Instances that should run and have no order. Without a reason they are about to be placed. */
  readonly waiting: ReadonlyMap<string, WaitingInstance>;
  /** Instances that are to move and stay for now, with the reason. */
  readonly stays: ReadonlyMap<string, string>;
}

interface WaitingInstance {
  readonly unit: string;
  readonly reason: string;
  readonly final: boolean;
}

/** The scheduler is only asked when something waits. */
export function placementFacts(
  snapshot: ClusterSnapshot,
  placements: PlacementSource,
  facts: SchedulerFacts,
): SchedulingFacts {
  const orders = countOrders(snapshot);
  const missing = withoutOrder(snapshot, orders);
  const asks = missing.size > 0 || isMoving(snapshot);
  const plan = asks ? schedule(snapshot, placements, facts) : undefined;
  const unplaced = plan?.unplaced ?? new Map<string, never>();
  const waiting = new Map<string, WaitingInstance>();
  for (const [name, unit] of missing) {
    const why = unplaced.get(name);
    const isEverywhere = isGlobal(snapshot, placements, unit);
    if (why || !isEverywhere)
      waiting.set(name, { unit, reason: why?.reason ?? "", final: why?.final ?? false });
  }
  return {
    waiting,
    stays: plan?.stays ?? new Map<string, never>(),
    wanted(name) {
      const unit = snapshot.units.get(name);
      if (!unit || unit.desired === "inactive") return 0;
      if (isGlobal(snapshot, placements, name)) return orders.get(name) ?? (waiting.has(name) ? 1 : 0);
      return instancesOf(unit, snapshot.units).length;
    },
  };
}

/** Whether anything is on its way to another machine. */
const isMoving = ({ moves, machineSettings }: ClusterSnapshot): boolean =>
  moves.size > 0 || [...machineSettings.values()].some(({ drain }) => drain !== undefined);

/** Wanted instances without any order, with their unit. */
function withoutOrder(
  snapshot: ClusterSnapshot,
  orders: ReadonlyMap<string, number>,
): ReadonlyMap<string, string> {
  const missing = new Map<string, string>();
  for (const unit of snapshot.units.values()) {
    if (unit.desired === "inactive") continue;
    for (const { name } of instancesOf(unit, snapshot.units))
      if (!orders.has(name)) missing.set(name, unit.name);
  }
  return missing;
}

function isGlobal(snapshot: ClusterSnapshot, placements: PlacementSource, name: string): boolean {
  const rules = placements.rulesOf(snapshot.units.get(name)?.hash ?? "", name);
  return typeof rules === "object" && "global" in rules && rules.global;
}

/** Orders by instance, companions left out. */
function countOrders(snapshot: ClusterSnapshot): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const entries of snapshot.schedule.values()) {
    for (const [name, { companion }] of entries)
      if (!companion) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
