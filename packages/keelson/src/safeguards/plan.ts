// Turns an intent into a plan: the units before and after, and the impact. Pure: changes nothing and asks nobody.
// The API calls it for every change, and for `POST /v1/plan`. Bodies that the plan looks at must be known to
// the body source; see `bodiesFor`.
import { KeelError } from "../base/errors.ts";
import type { BodySource, ClusterSnapshot } from "../model/cluster.ts";
import { plannedMoveSchema } from "../model/forecast.ts";
import { type Intent, type Operation, undoMs } from "../model/operation.ts";
import type { PlacementSource } from "../model/placement/cache.ts";
import { planDesired, planDestroy, planRestart, planScale } from "./desired-state.ts";
import { dependentsOf, notesOnDependents } from "./dependents.ts";
import type { Draft, PlanInput } from "./draft.ts";
import { impactOf } from "./impact.ts";
import { planUndo } from "./inverse.ts";
import { planRemoveMachine } from "./machine-removal.ts";
import { planRebalanceMoves } from "./rebalance.ts";
import { planConfigure, planCordon, planDrain, planMetadata } from "./settings.ts";
import type { OperationPlan, PlanContext } from "./operation-plan.ts";
import { resolveSelector } from "./selector.ts";
import { planRollback, planRollout, recordOf, rollbackTarget } from "./rollout-actions.ts";
import { withRollouts } from "./rollouts.ts";
import { planSubmit } from "./submission.ts";
import { planSystemUpdate, planUpdateSystem } from "./system-update.ts";

/** @throws KeelError for an intent that cannot be carried out; guards judge the rest */
export function plan(
  intent: Intent,
  snapshot: ClusterSnapshot,
  {
    bodies,
    placements,
    context,
  }: { readonly bodies: BodySource; readonly placements: PlacementSource; readonly context: PlanContext },
): OperationPlan {
  const input = { snapshot, bodies, context };
  const id = context.newId();
  const draft = withRollouts(draftOf(intent, input, id), input, id);
  const dependents = dependentsOf(draft.changes, snapshot, placements);
  const impact = impactOf(intent, { ...draft, dependents }, snapshot);
  return {
    intent,
    operation: {
      id,
      who: context.who,
      via: context.via,
      summary: draft.summary,
      kind: intent.kind,
      changes: [...draft.changes],
      ...(draft.records === undefined ? {} : { records: [...draft.records] }),
      ...movesOf(draft),
      impact,
      at: context.nowMs,
      expires: context.nowMs + undoMs,
      ...(draft.undoOf === undefined ? {} : { undoOf: draft.undoOf }),
      state: "applying",
    },
    bodies: draft.bodies ?? new Map(),
    forgetsOperations: draft.forgetsOperations ?? 0,
    removesMember: draft.removesMember,
    unchanged: draft.unchanged ?? [],
    notes: [...(draft.notes ?? []), ...notesOnDependents(dependents)],
  };
}

/** Moves are followed to their end. */
function movesOf({ records = [] }: Draft): Pick<Operation, "moves"> {
  const moves = records.flatMap(({ kind, after }) => {
    const move = kind === "move" && after !== undefined ? plannedMoveSchema.safeParse(after) : undefined;
    return move?.success === true ? [move.data] : [];
  });
  return moves.length === 0 ? {} : { moves };
}

function draftOf(intent: Intent, input: PlanInput, id: string): Draft {
  switch (intent.kind) {
    case "submit":
      return planSubmit(intent, input);
    case "set-desired":
      return planDesired(intent.units, intent.desired, input);
    case "restart":
      return planRestart(intent.units, input);
    case "scale":
      return planScale(intent.unit, intent.replicas, input);
    case "destroy":
      return planDestroy(intent.units, input);
    case "undo":
      return planUndo(intent.operation, input);
    case "purge":
      return planPurge(input);
    case "remove-machine":
      return planRemoveMachine(intent.machine, input.snapshot);
    case "cordon":
      return planCordon(intent, input);
    case "drain":
      return planDrain(intent, input);
    case "rebalance":
      return planRebalanceMoves(intent, input);
    case "set-metadata":
      return planMetadata(intent, input);
    case "configure":
      return planConfigure(intent, input);
    case "rollback":
      return planRollback(intent, input);
    case "rollout":
      return planRollout(intent, input);
    case "update-system":
      return planUpdateSystem(intent, input, id);
    case "system-update":
      return planSystemUpdate(intent, input);
  }
}

/**
 * Hashes of the bodies that planning this intent looks at, for a body source that must load them first.
 * @throws KeelError of the selector, as `plan` would
 */
export function bodiesFor(intent: Intent, snapshot: ClusterSnapshot): string[] {
  return [...new Set(hashesFor(intent, snapshot))];
}

function hashesFor(intent: Intent, snapshot: ClusterSnapshot): string[] {
  const { units, operations } = snapshot;
  switch (intent.kind) {
    case "set-desired": {
      const found = resolveSelector(intent.units, units);
      return found.flatMap((one) => (one.kind === "instance" ? [one.template.hash] : []));
    }
    case "submit":
      return intent.replace ? intent.files.flatMap(({ name }) => units.get(name)?.hash ?? []) : [];
    case "rollback": {
      const unit = recordOf(intent.unit, snapshot);
      return [unit.hash, rollbackTarget(unit, intent.to, snapshot).hash];
    }
    case "undo": {
      const changes = operations.get(intent.operation ?? "")?.changes ?? [];
      return changes.flatMap(({ before, after }) => [before?.hash ?? [], after?.hash ?? []].flat());
    }
    default:
      return [];
  }
}

function planPurge({ snapshot }: PlanInput): Draft {
  const open = [...snapshot.operations.values()].find(({ state }) => state === "applying");
  if (open !== undefined) {
    const message = `${open.id} is still being carried out: ${open.summary}.`;
    throw new KeelError("KEEL-403", message, { hint: "Try again in a moment." });
  }
  const count = snapshot.operations.size;
  return {
    changes: [],
    summary: `forget ${count} operation${count === 1 ? "" : "s"}`,
    forgetsOperations: count,
  };
}
