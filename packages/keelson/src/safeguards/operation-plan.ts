// What an intent would do, before anything is done. plan.ts makes it, guard.ts judges it, the API shows it
// and has the registry write it.
import type { Forecast, PlannedMove } from "../model/forecast.ts";
import type { Intent, Operation } from "../model/operation.ts";

/** Who asks, when, and where identities come from. */
export interface PlanContext {
  readonly who: string;
  readonly via: string;
  /** Unix milliseconds. */
  readonly nowMs: number;
  /** A new identity that sorts by time. */
  readonly newId: () => string;
  /** What the scheduler would move to make the cluster even; only a `rebalance` asks. */
  readonly rebalance?: (most: number) => {
    readonly moves: readonly (Required<PlannedMove> & { readonly because: string })[];
    /** Why nothing should move now, in words. */
    readonly waitsFor: string | undefined;
  };
}

export interface OperationPlan {
  readonly intent: Intent;
  /** The record to write: changes, impact, summary, and `undoOf` for an undo. */
  readonly operation: Operation;
  /** New unit files by their hash, byte for byte as UTF-8 text. */
  readonly bodies: ReadonlyMap<string, string>;
  /** How many earlier operations a purge makes impossible to undo; 0 for every other intent. */
  readonly forgetsOperations: number;
  /** Machine id of the member that the cluster is to forget. */
  readonly removesMember: string | undefined;
  /** Units that are already as asked. */
  readonly unchanged: readonly string[];
  /** Where units would go. */
  readonly forecast?: Forecast;
  /** What the asker should know, in words: "web.container refers to app.network, which the cluster does not have". */
  readonly notes: readonly string[];
}

/** A plan in JSON, without file bodies. */
export function describePlan(plan: OperationPlan): Readonly<Record<string, unknown>> {
  const { kind, summary, changes, records, impact, undoOf } = plan.operation;
  return {
    kind,
    summary,
    changes,
    ...(records === undefined ? {} : { records }),
    impact,
    unchanged: plan.unchanged,
    notes: plan.notes,
    ...(plan.forecast === undefined ? {} : { forecast: plan.forecast }),
    ...(undoOf === undefined ? {} : { undoOf }),
    ...(plan.removesMember === undefined ? {} : { removesMember: plan.removesMember }),
    ...(plan.forgetsOperations === 0 ? {} : { forgetsOperations: plan.forgetsOperations }),
  };
}

/** The plan with what the scheduler foretells; the operation remembers which instances are to move. */
export function withForecast(plan: OperationPlan, forecast: Forecast): OperationPlan {
  const moves = [...forecast.moves, ...forecast.stranded]
    .slice(0, mostMoves)
    .map(({ instance, from, ...rest }) => ({
      instance,
      from,
      ...("to" in rest && rest.to !== undefined ? { to: rest.to } : {}),
    }));
  return { ...plan, forecast, operation: { ...plan.operation, moves } };
}

/** Most that an operation remembers. */
const mostMoves = 5000;
