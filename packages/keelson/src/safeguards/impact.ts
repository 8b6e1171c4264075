// How much a change takes away: the figure that guards look at and people confirm.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { allInstances } from "../model/instances.ts";
import type { Change, Impact, Intent } from "../model/operation.ts";
import { isTemplate } from "../model/unit-name.ts";
import type { Dependents } from "./dependents.ts";
import type { Draft } from "./draft.ts";

/** Units and instances that stop because they require what stops count as if they were named. */
export function impactOf(
  intent: Intent,
  { changes, dependents }: Pick<Draft, "changes"> & { readonly dependents: Dependents },
  snapshot: ClusterSnapshot,
): Impact {
  const affected = new Set([...changes.filter(takesAway).map(({ unit }) => unit), ...dependents.units]).size;
  const total = snapshot.units.size;
  return {
    affected,
    total,
    percent: total === 0 ? 0 : Math.round((affected / total) * 1000) / 10,
    instances: stoppedInstances(changes, snapshot, dependents),
    reversible: reversibility(intent, changes),
  };
}

/** Whether the change stops or removes the unit. */
function takesAway({ before, after }: Change): boolean {
  if (before === undefined) return false;
  if (after === undefined) return true;
  if (before.desired !== "launched") return false;
  return (
    after.desired !== "launched" || (before.replicas > 0 && after.replicas === 0 && isTemplate(before.name))
  );
}

/** Instances on machines that were to run and are no longer to run. */
function stoppedInstances(
  changes: readonly Change[],
  snapshot: ClusterSnapshot,
  { stopped: dependents }: Dependents,
): number {
  if (changes.length === 0) return 0;
  const units = new Map(snapshot.units);
  for (const { unit, after } of changes) {
    if (after === undefined) units.delete(unit);
    else units.set(unit, after);
  }
  const wanted = allInstances(units);
  let stopped = 0;
  for (const entries of snapshot.schedule.values()) {
    for (const { unit, companion, desired } of entries.values()) {
      if (companion || desired !== "launched") continue;
      if (dependents.has(unit) || wanted.get(unit)?.desired !== "launched") stopped += 1;
    }
  }
  return stopped;
}

function reversibility(intent: Intent, changes: readonly Change[]): Impact["reversible"] {
  if (intent.kind === "purge") return "no";
  const dropsContent = changes.some(
    ({ before, after }) => before !== undefined && before.hash !== after?.hash,
  );
  return dropsContent ? "for 72 hours" : "exactly";
}
