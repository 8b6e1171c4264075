// Units that a change stops without naming them: those that require what it stops.
import { KeelError } from "../base/errors.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import { allInstances } from "../model/instances.ts";
import type { Change } from "../model/operation.ts";
import type { PlacementSource } from "../model/placement/cache.ts";
import { barredRequirers, NamedInstances, type Requirer } from "../model/requirements.ts";
import type { Unit } from "../model/unit.ts";

export interface Dependents {
  /** Instances that stop with the change, by name, with the reason in words. */
  readonly stopped: ReadonlyMap<string, string>;
  /** The units that they come from. */
  readonly units: ReadonlySet<string>;
}

const none: Dependents = { stopped: new Map(), units: new Set() };

export function dependentsOf(
  changes: readonly Change[],
  snapshot: ClusterSnapshot,
  placements: PlacementSource,
): Dependents {
  if (!changes.some(({ before }) => before?.desired === "launched")) return none;
  const after = new Map(snapshot.units);
  for (const { unit, after: record } of changes) {
    if (record === undefined) after.delete(unit);
    else after.set(unit, record);
  }
  const before = barredIn(snapshot.units, placements);
  const stopped = new Map<string, string>();
  const units = new Set<string>();
  for (const [name, { unit, cause }] of barredIn(after, placements)) {
    if (before.has(name)) continue;
    stopped.set(name, cause);
    units.add(unit);
  }
  return { stopped, units };
}

function barredIn(
  units: ReadonlyMap<string, Unit>,
  placements: PlacementSource,
): Map<string, { readonly unit: string; readonly cause: string }> {
  const instances = allInstances(units);
  const requirers: Requirer[] = [];
  for (const { name, desired, unit } of instances.values()) {
    if (desired !== "launched") continue;
    const rules = placements.rulesOf(unit.hash, name);
    if (rules === "missing" || rules instanceof KeelError || rules.requiresUnits.length === 0) continue;
    requirers.push({ name, rules });
  }
  if (requirers.length === 0) return new Map();
  const barred = barredRequirers(requirers, new NamedInstances(instances));
  return new Map(
    [...barred].map(([name, cause]) => [name, { unit: instances.get(name)?.unit.name ?? name, cause }]),
  );
}

/** "also stops web.service: db.service, which it requires, is not wanted any more". */
export function notesOnDependents({ stopped }: Dependents): string[] {
  const shown = [...stopped].slice(0, mostNotes).map(([name, cause]) => `also stops ${name}: ${cause}`);
  const rest = stopped.size - shown.length;
  return rest === 0 ? shown : [...shown, `and stops ${rest} more that require what stops`];
}

const mostNotes = 20;
