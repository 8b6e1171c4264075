// rebalance: moves what would be better off elsewhere, as records in moves/ that the leader carries out step by step.
import { KeelError } from "../base/errors.ts";
import type { Intent } from "../model/operation.ts";
import type { RecordChange } from "../model/record-kinds.ts";
import type { Draft, PlanInput } from "./draft.ts";

/** @throws KeelError KEEL-533 while the cluster is not at rest, or when nobody can say what to move */
export function planRebalanceMoves(
  { most }: Extract<Intent, { kind: "rebalance" }>,
  { context }: PlanInput,
): Draft {
  const plan = context.rebalance?.(most);
  const waitsFor = plan === undefined ? "the scheduler was not asked" : plan.waitsFor;
  if (plan === undefined || waitsFor !== undefined) {
    throw new KeelError("KEEL-533", `Nothing can be rebalanced now: ${waitsFor}.`, {
      hint: "Try again when the cluster is at rest.",
    });
  }
  const records = plan.moves.map(({ instance, from, to, because }): RecordChange => {
    const after = { instance, from, to, because: `rebalance: ${because}`, at: context.nowMs };
    return { kind: "move", name: instance, after };
  });
  const count = records.length;
  const summary =
    count === 0
      ? "rebalance (no change)"
      : `rebalance: move ${count} ${count === 1 ? "instance" : "instances"}`;
  return { changes: [], records, summary };
}
