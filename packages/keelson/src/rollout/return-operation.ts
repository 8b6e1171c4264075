import type { DeciderScene } from "../model/decision.ts";
import { type Operation, leadersImpact, undoMs } from "../model/operation.ts";
import type { Rollout } from "../model/rollout.ts";
import type { Unit } from "../model/unit.ts";
import { numberOf, versionList } from "../model/version-of.ts";
import { withOutcome } from "./history.ts";

/** Who acts when the cluster does something of its own accord. */
const itself = { who: "keelson", via: "leader" } as const;

/**
 * The end of a rollout that went back: the unit's record is what it was before, with everything that the operation
 * had changed in it and nobody has changed again.
 */
export function returnOperation(
  rollout: Rollout,
  unit: Unit,
  { snapshot, wallMs, newId }: DeciderScene,
): Operation {
  const change = snapshot.operations
    .get(rollout.operation)
    ?.changes.find((candidate) => candidate.unit === unit.name);
  const { before, after } = change ?? {};
  const isOurs = before !== undefined && after !== undefined && before.hash === rollout.from;
  const owner = isOurs && unit.owner === after.owner ? before.owner : unit.owner;
  const replicas = isOurs && unit.replicas === after.replicas ? before.replicas : unit.replicas;
  const returned: Unit = {
    ...unit,
    hash: rollout.from,
    owner,
    replicas,
    generation: unit.generation + 1,
    changed: wallMs,
  };
  const { healthy: _, others: __, ...rest } = rollout;
  const reverted: Rollout = { ...rest, state: "reverted", updated: [], batch: [], changed: wallMs };
  const number = numberOf(rollout.from, versionList(unit, snapshot));
  return {
    id: newId(),
    ...itself,
    summary: `return ${unit.name} to version ${number}: ${rollout.reason}`.slice(0, 500),
    kind: "rollback",
    changes: [{ unit: unit.name, before: unit, after: returned }],
    records: [
      { kind: "rollout", name: unit.name, before: rollout, after: reverted },
      ...withOutcome(rollout, rollout.reason, snapshot),
    ],
    impact: leadersImpact(snapshot.units.size),
    at: wallMs,
    expires: wallMs + undoMs,
    state: "applied",
  };
}
