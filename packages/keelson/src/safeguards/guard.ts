// Guards look at a plan and let it pass or refuse it, with what it would take. Pure; the API asks them for every
// change, whoever asks, so that no client can go around them.
import { KeelError } from "../base/errors.ts";
import type { Confirmation } from "../model/operation.ts";
import { guardMoves } from "./move-guard.ts";
import { describePlan, type OperationPlan } from "./operation-plan.ts";

/** A change that stops or removes a larger share of the units needs a confirmation. */
export const freePercent = 25;
/** From how many units on shares are looked at: half of two units is no alarm. */
export const fewestUnits = 4;
const fewestAffected = 2;

/** Why the plan may not be carried out as it was confirmed: KEEL-201, KEEL-202, KEEL-204, KEEL-531 or KEEL-532; `undefined` lets it pass. */
export function guard(plan: OperationPlan, confirm: Confirmation, cluster: string): KeelError | undefined {
  const moves = guardMoves(plan, confirm, cluster);
  if (moves !== undefined) return moves;
  const { affected, total, percent, reversible } = plan.operation.impact;
  const typed = `--confirm ${cluster}`;
  const isTyped = confirm.scope === cluster;
  const mistyped =
    confirm.scope === undefined || isTyped ? "" : ` The confirmed name, ${confirm.scope}, is not its name.`;
  if (reversible === "no" && !isTyped) {
    const message = `${capital(plan.operation.summary)} cannot be undone.${mistyped}`;
    return refusal("KEEL-204", message, { plan, needs: typed });
  }
  const saysAll = "units" in plan.intent && "all" in plan.intent.units && affected > 0;
  const isEverything = affected === total && total >= fewestUnits;
  if ((saysAll || isEverything) && !isTyped) {
    const message = `This stops or removes ${saysAll ? "all" : "every one"} of the ${total} units of ${cluster}.${mistyped}`;
    return refusal("KEEL-202", message, { plan, needs: typed });
  }
  const isLarge = total >= fewestUnits && affected >= fewestAffected && percent > freePercent;
  if (!isLarge || isEverything || saysAll || percent <= (confirm.maxImpact ?? 0)) return undefined;
  const message = `This stops or removes ${affected} of ${total} units, ${percent} %; ${freePercent} % need no confirmation.`;
  return refusal("KEEL-201", message, { plan, needs: `--max-impact ${Math.ceil(percent)}` });
}

function refusal(
  code: "KEEL-201" | "KEEL-202" | "KEEL-204",
  message: string,
  { plan, needs }: { readonly plan: OperationPlan; readonly needs: string },
): KeelError {
  const hint = `Nothing was changed. If this is what you want, repeat with ${needs}`;
  return new KeelError(code, message, { hint, details: { plan: describePlan(plan), needs } });
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
