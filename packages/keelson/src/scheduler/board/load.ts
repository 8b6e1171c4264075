// What is asked of each machine by the orders that it has: units, and the memory and processors that they request.
import { KeelError } from "../../base/errors.ts";
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { PlacementSource } from "../../model/placement/cache.ts";
import { isSupporting, templateName } from "../../model/unit-name.ts";
import { type Amounts, needOf, nothing, plus } from "./room.ts";

export interface MachineLoad {
  /** Instances that count, companions and supporting files left out. */
  readonly instances: number;
  /** Requested, in bytes. */
  readonly memoryBytes: number;
  /** Requested processors. */
  readonly cpus: number;
}

export const noLoad: MachineLoad = { instances: 0, memoryBytes: 0, cpus: 0 };

/** By machine id, machines with orders only. */
export function loadsOf(
  { schedule, machines, units }: ClusterSnapshot,
  placements: PlacementSource,
): ReadonlyMap<string, MachineLoad> {
  const loads = new Map<string, MachineLoad>();
  for (const [machine, entries] of schedule) {
    let instances = 0;
    let taken: Amounts = nothing;
    const there = machines.get(machine) ?? unknown;
    for (const { unit, hash, companion } of entries.values()) {
      if (companion) continue;
      if (!isSupporting(unit)) instances += 1;
      const ordered = placements.rulesOf(hash, unit);
      const now = units.get(unit) ?? units.get(templateName(unit) ?? "");
      // The file of an earlier version may not be at hand.
      const rules = ordered === "missing" && now ? placements.rulesOf(now.hash, unit) : ordered;
      if (rules === "missing" || rules instanceof KeelError) continue;
      taken = plus(taken, needOf(rules.resources, there));
    }
    loads.set(machine, { instances, memoryBytes: taken.memoryBytes, cpus: taken.milliCpus / 1000 });
  }
  return loads;
}

/** A machine that is away: shares of its memory count for nothing. */
const unknown = { capacity: { cpus: 0, memoryBytes: 0, unenforced: [] } };
