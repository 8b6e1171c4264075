// What the scheduler makes of a snapshot, for those who show it.
import { KeelError } from "../base/errors.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import { clusterTimerTarget } from "../model/cluster-timer.ts";
import { instancesOf } from "../model/instances.ts";
import { dueRun } from "../model/job.ts";
import type { PlacementSource } from "../model/placement/cache.ts";
import { unenforcedLimits } from "../model/placement/rules.ts";
import type { Unit } from "../model/unit.ts";
import type { SchedulerFacts, Unplaced } from "../scheduler/plan.ts";
import { loadsOf, noLoad } from "../scheduler/board/load.ts";
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
  /** It is on a machine and stopped there until it may start. */
  readonly isHeld: boolean;
}

/** The scheduler is only asked when something waits. */
export function placementFacts(
  snapshot: ClusterSnapshot,
  placements: PlacementSource,
  facts: SchedulerFacts,
): SchedulingFacts {
  const orders = countOrders(snapshot);
  const missing = withoutOrder(snapshot, orders, placements);
  const jobs = Map.groupBy(snapshot.jobs.values(), ({ unit }) => unit);
  const asks = missing.size > 0 || isMoving(snapshot);
  const plan = asks ? schedule(snapshot, placements, facts) : undefined;
  const unplaced = plan?.unplaced ?? new Map<string, never>();
  const waiting = new Map<string, WaitingInstance>();
  // A machine that is lost may come back.
  const isFinal = (name: string, why: Unplaced | undefined): boolean =>
    why?.final === true && !lost.has(name);
  const lost = lostOrders(snapshot);
  for (const [name, { unit, isHeld }] of missing) {
    const why = unplaced.get(name);
    if (isHeld && why === undefined) continue;
    const isEverywhere = isGlobal(snapshot, placements, unit);
    if (why || !isEverywhere)
      waiting.set(name, { unit, reason: why?.reason ?? "", final: isFinal(name, why), isHeld });
  }
  const loads = loadsOf(snapshot, placements);
  return {
    waiting,
    requested: (machine) => loads.get(machine) ?? noLoad,
    unenforced(instance, machine) {
      const unenforced = snapshot.machines.get(machine)?.capacity.unenforced ?? [];
      const hash = snapshot.schedule.get(machine)?.get(instance)?.hash;
      if (unenforced.length === 0 || hash === undefined) return unenforcedNothing;
      const rules = placements.rulesOf(hash, instance);
      return typeof rules === "object" && "resources" in rules
        ? unenforcedLimits(rules, { unenforced })
        : unenforcedNothing;
    },
    stays: plan?.stays ?? new Map<string, never>(),
    wanted(name) {
      const unit = snapshot.units.get(name);
      const runs = jobs.get(name);
      if (unit?.desired !== "loaded" && runs !== undefined) return runs.length;
      if (!unit || unit.desired === "inactive") return 0;
      if (isGlobal(snapshot, placements, name)) return orders.get(name) ?? (waiting.has(name) ? 1 : 0);
      return instancesOf(unit, snapshot.units).length;
    },
  };
}

/** Whether anything is on its way to another machine. */
const isMoving = ({ moves, machineSettings }: ClusterSnapshot): boolean =>
  moves.size > 0 || [...machineSettings.values()].some(({ drain }) => drain !== undefined);

/** Wanted instances without any order, or with one that does not let them start, with their unit. */
function withoutOrder(
  snapshot: ClusterSnapshot,
  orders: ReadonlyMap<string, number>,
  placements: PlacementSource,
): ReadonlyMap<string, { readonly unit: string; readonly isHeld: boolean }> {
  const missing = new Map<string, { readonly unit: string; readonly isHeld: boolean }>();
  const held = heldOrders(snapshot);
  const lost = lostOrders(snapshot);
  for (const unit of snapshot.units.values()) {
    if (unit.desired === "inactive") continue;
    const isHeld = (name: string): boolean => unit.desired === "launched" && held.has(name);
    const isStranded = (name: string): boolean =>
      lost.has(name) && !isGlobal(snapshot, placements, unit.name);
    const open = instancesOf(unit, snapshot.units).filter(
      ({ name }) => !orders.has(name) || isHeld(name) || isStranded(name),
    );
    if (open.length === 0 || isPlacedForRuns(unit, placements)) continue;
    for (const { name } of open) {
      if (!isClusterTimer(name, unit, { snapshot, placements }))
        missing.set(name, { unit: unit.name, isHeld: orders.has(name) });
    }
  }
  for (const job of snapshot.jobs.values()) {
    const isPlaced = orders.has(job.instance);
    if (dueRun(job) !== undefined && (!isPlaced || held.has(job.instance)))
      missing.set(job.instance, { unit: job.unit, isHeld: isPlaced });
  }
  return missing;
}

/** It has a place only while it has a run: its jobs say what it waits for. */
function isPlacedForRuns({ name, hash, desired }: Unit, placements: PlacementSource): boolean {
  const rules = placements.rulesOf(hash, name);
  const isJob = rules !== "missing" && !(rules instanceof KeelError) && rules.batch !== undefined;
  return isJob && desired === "launched";
}

function isClusterTimer(name: string, { hash }: Unit, { snapshot, placements }: Context): boolean {
  if (!name.endsWith(".timer")) return false;
  const rules = placements.rulesOf(hash, name);
  if (rules === "missing" || rules instanceof KeelError) return false;
  return clusterTimerTarget(name, rules, snapshot.units) !== undefined;
}

interface Context {
  readonly snapshot: ClusterSnapshot;
  readonly placements: PlacementSource;
}

function isGlobal(snapshot: ClusterSnapshot, placements: PlacementSource, name: string): boolean {
  const rules = placements.rulesOf(snapshot.units.get(name)?.hash ?? "", name);
  return typeof rules === "object" && "global" in rules && rules.global;
}

/** Instances that have an order and are not to start by it. */
function heldOrders(snapshot: ClusterSnapshot): ReadonlySet<string> {
  const held = new Set<string>();
  for (const entries of snapshot.schedule.values()) {
    for (const [name, { companion, desired }] of entries)
      if (!companion && desired === "loaded") held.add(name);
  }
  return held;
}

/** Instances that have an order on a machine that does not report. */
function lostOrders({ schedule, machines }: ClusterSnapshot): ReadonlySet<string> {
  const lost = new Set<string>();
  for (const [machine, entries] of schedule) {
    if (machines.has(machine)) continue;
    for (const [name, { companion }] of entries) if (!companion) lost.add(name);
  }
  return lost;
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

const unenforcedNothing: readonly string[] = [];
