// Which runs records there should be: one for each instance of a unit that runs to its end, or of a global one for
// each instance on each machine that it fits.
import { KeelError } from "../base/errors.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import { type Instance, instancesOf } from "../model/instances.ts";
import { jobName } from "../model/job.ts";
import type { Machine } from "../model/machine.ts";
import { effectiveMachines } from "../model/machine-metadata.ts";
import type { PlacementSource } from "../model/placement/cache.ts";
import type { BatchRules, PlacementRules } from "../model/placement/rules.ts";
import type { Unit } from "../model/unit.ts";

export interface WantedJob {
  /** The record's name. */
  readonly name: string;
  readonly instance: Instance;
  /** Machine id, of a global unit; empty for others. */
  readonly machine: string;
  readonly batch: BatchRules;
}

/** The rules of a unit that runs to its end; `undefined` for another, or one that cannot be read now. */
export function jobRulesOf(unit: Unit, placements: PlacementSource): PlacementRules | undefined {
  const rules = placements.rulesOf(unit.hash, unit.name);
  if (rules === "missing" || rules instanceof KeelError || rules.batch === undefined) return undefined;
  return rules;
}

/** By the record's name. */
export function* wantedJobs(snapshot: ClusterSnapshot, placements: PlacementSource): Generator<WantedJob> {
  let machines: readonly Machine[] | undefined;
  // Most files are no jobs: each is looked at once in a pass, and not for every unit that has it.
  const others = new Set<string>();
  for (const unit of snapshot.units.values()) {
    if (others.has(unit.hash)) continue;
    const rules = jobRulesOf(unit, placements);
    if (rules === undefined) others.add(unit.hash);
    if (rules?.batch === undefined) continue;
    machines ??= effectiveMachines(snapshot);
    yield* jobsOf(unit, rules, { snapshot, machines });
  }
}

/** The runs of one unit. */
export function* jobsOf(
  unit: Unit,
  rules: PlacementRules,
  { snapshot, machines }: { readonly snapshot: ClusterSnapshot; readonly machines: readonly Machine[] },
): Generator<WantedJob> {
  const { batch } = rules;
  if (batch === undefined) return;
  for (const instance of instancesOf(unit, snapshot.units)) {
    const { name } = instance;
    if (!rules.global) yield { name, instance, machine: "", batch };
    else {
      for (const machine of machines) {
        if (fits(rules, machine))
          yield { name: jobName(name, machine.id), instance, machine: machine.id, batch };
      }
    }
  }
}

const fits = ({ metadata }: PlacementRules, machine: Machine): boolean =>
  [...metadata].every(([key, values]) => {
    const has = Object.hasOwn(machine.metadata, key) ? machine.metadata[key] : undefined;
    return has !== undefined && values.includes(has);
  });
