// What the scheduler makes of a snapshot, for those who show it.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { instancesOf } from "../model/instances.ts";
import type { PlacementSource } from "../model/placement-cache.ts";
import { isSupporting } from "../model/unit-name.ts";
import type { PlacementFacts } from "./views/cluster-projection.ts";

export interface SchedulingFacts extends PlacementFacts {
  isGlobal(instance: string, hash: string): boolean;
  readonly waiting: ReadonlyMap<
    string,
    { readonly unit: string; readonly reason: string; readonly final: boolean }
  >;
}

export function placementFacts(snapshot: ClusterSnapshot, placements: PlacementSource): SchedulingFacts {
  const isGlobal = (instance: string, hash: string): boolean => {
    const rules = placements.rulesOf(hash, instance);
    return typeof rules === "object" && "global" in rules && rules.global;
  };
  const orders = countOrders(snapshot);
  return {
    isGlobal,
    wanted(name) {
      const unit = snapshot.units.get(name);
      if (!unit || unit.desired === "inactive") return 0;
      if (isGlobal(name, unit.hash)) return orders.get(name) ?? 0;
      if (isSupporting(name)) return orders.get(name) ?? 0;
      return instancesOf(unit, snapshot.units).length;
    },
    waiting: waitingIn(snapshot, orders, isGlobal),
  };
}

function waitingIn(
  snapshot: ClusterSnapshot,
  orders: ReadonlyMap<string, number>,
  isGlobal: SchedulingFacts["isGlobal"],
): SchedulingFacts["waiting"] {
  const waiting = new Map<string, { unit: string; reason: string; final: boolean }>();
  for (const unit of snapshot.units.values()) {
    if (unit.desired === "inactive" || isSupporting(unit.name) || isGlobal(unit.name, unit.hash)) continue;
    for (const { name } of instancesOf(unit, snapshot.units)) {
      if (!orders.has(name)) waiting.set(name, { unit: unit.name, reason: "", final: false });
    }
  }
  return waiting;
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
