// What an intent would do, before anything is done. plan.ts makes it, guard.ts judges it, the API shows it
// and has the registry write it.
import type { Intent, Operation } from "../model/operation.ts";

/** Who asks, when, and where identities come from. */
export interface PlanContext {
  readonly who: string;
  readonly via: string;
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** A new identity that sorts by time. */
  readonly newId: () => string;
}

/** What a plan takes away for good, beside its changes to units. */
export interface Forgotten {
  /** Operations that can no longer be undone. */
  readonly operations: readonly string[];
  /** Hashes of bodies that nothing refers to any more. */
  readonly bodies: readonly string[];
  /** The member that the cluster no longer expects. */
  readonly member: string | undefined;
}

export interface OperationPlan {
  readonly intent: Intent;
  /** The record to write, in state `applying`: changes, impact, summary, and `undoOf` for an undo. */
  readonly operation: Operation;
  /** New unit files by their hash, byte for byte as UTF-8 text. */
  readonly bodies: ReadonlyMap<string, string>;
  readonly forget: Forgotten;
  /** Units that are already as asked. */
  readonly unchanged: readonly string[];
  /** What the asker should know, in words: "web.container refers to app.network, which the cluster does not have". */
  readonly notes: readonly string[];
  /** Whether the asker named single units one by one, with no pattern and no `all`. */
  readonly named: boolean;
}

/** A plan in JSON, without file bodies. */
export function describePlan(plan: OperationPlan): Readonly<Record<string, unknown>> {
  const { kind, summary, changes, impact, undoOf } = plan.operation;
  return {
    kind,
    summary,
    changes,
    impact,
    unchanged: plan.unchanged,
    notes: plan.notes,
    ...(undoOf === undefined ? {} : { undoOf }),
    ...(plan.forget.member === undefined ? {} : { removesMachine: plan.forget.member }),
    ...(plan.operation.kind === "purge" ? { removesOperations: plan.forget.operations.length } : {}),
  };
}
