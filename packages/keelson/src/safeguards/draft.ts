// What a planner of one kind of intent gives back; plan.ts makes the operation of it.
import type { BodySource, ClusterSnapshot } from "../model/cluster.ts";
import type { Change } from "../model/operation.ts";
import type { RecordChange } from "../model/record-kinds.ts";
import type { Unit } from "../model/unit.ts";
import type { PlanContext } from "./operation-plan.ts";

export interface Draft {
  readonly changes: readonly Change[];
  /** Records beside units. */
  readonly records?: readonly RecordChange[];
  /** For people: "stop web.service and 2 more". */
  readonly summary: string;
  readonly bodies?: ReadonlyMap<string, string>;
  readonly unchanged?: readonly string[];
  readonly notes?: readonly string[];
  readonly undoOf?: string;
  readonly removesMember?: string;
  readonly forgetsOperations?: number;
}

/** What every planner is given. */
export interface PlanInput {
  readonly snapshot: ClusterSnapshot;
  readonly bodies: BodySource;
  readonly context: PlanContext;
}

/** The unit with some fields changed, as a new generation of its record. */
export function changed(unit: Unit, fields: Partial<Unit>, nowMs: number): Unit {
  return { ...unit, ...fields, generation: unit.generation + 1, changed: nowMs };
}

/** "web.service", "web.service and db.service", "web.service and 4 more". */
export function listNames(names: readonly string[]): string {
  const [first = "nothing", second] = names;
  if (second === undefined) return first;
  return names.length === 2 ? `${first} and ${second}` : `${first} and ${names.length - 1} more`;
}
