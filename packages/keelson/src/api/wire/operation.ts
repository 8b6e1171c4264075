// What the API says of changes: planned, under way and made.
import type { ErrorBody } from "../../base/errors.ts";
import type { Forecast } from "../../model/forecast.ts";
import type { Change, Impact } from "../../model/operation.ts";
import type { Progress } from "../../safeguards/progress-item.ts";

/** An operation without its changes. */
export interface OperationSummary {
  readonly id: string;
  readonly summary: string;
  readonly kind: string;
  readonly who: string;
  readonly via: string;
  readonly at: number;
  readonly expires: number;
  readonly state: "applying" | "applied";
  readonly impact: Impact;
  readonly units: number;
  /** Records beside units that it changed; left out for none. */
  readonly records?: number;
  readonly undoOf: string | null;
  readonly undoneBy: string | null;
}

/** An operation in full. */
export interface OperationView extends OperationSummary {
  readonly changes: readonly Change[];
  /** In the answer to a change: what whoever asked should know. */
  readonly notes?: readonly string[];
}

/** What a change would do, in describePlan's form. `refusal` says why a guard would not let it pass as asked. */
export interface PlanView {
  readonly kind: string;
  readonly summary: string;
  readonly changes: readonly Change[];
  /** Changes of records beside units; left out for none. */
  readonly records?: readonly unknown[];
  readonly impact: Impact;
  /** Units that are already as asked. */
  readonly unchanged: readonly string[];
  readonly notes: readonly string[];
  /** What it would move. */
  readonly forecast?: Forecast;
  readonly undoOf?: string;
  readonly removesMachine?: string;
  readonly removesOperations?: number;
  readonly refusal: ErrorBody | null;
}

/** One line of `/v1/operations/ID/progress`. */
export interface ProgressView extends Progress {
  readonly operation: string;
  readonly revision: number;
  readonly at: number;
}
