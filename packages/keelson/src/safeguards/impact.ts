// How much a change takes away: the figure that guards look at and people confirm.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { allInstances } from "../model/instances.ts";
import type { Change, Impact, Intent } from "../model/operation.ts";
import { isTemplate } from "../model/unit-name.ts";
import type { Draft } from "./draft.ts";

export function impactOf(intent: Intent, { changes }: Draft, snapshot: ClusterSnapshot): Impact {
  const affected = changes.filter(takesAway);
  const total = snapshot.units.size;
  return {
    affected: affected.length,
    total,
    percent: total === 0 ? 0 : Math.round((affected.length / total) * 1000) / 10,
    instances: stoppedInstances(changes, snapshot),
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
function stoppedInstances(changes: readonly Change[], snapshot: ClusterSnapshot): number {
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
      if (!companion && desired === "launched" && wanted.get(unit)?.desired !== "launched") stopped += 1;
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
