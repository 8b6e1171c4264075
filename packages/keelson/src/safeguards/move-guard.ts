// Guards of what moves units: a machine that is drained, and the last one that takes units.
import { KeelError } from "../base/errors.ts";
import type { Forecast } from "../model/forecast.ts";
import type { Confirmation } from "../model/operation.ts";
import { describePlan, type OperationPlan } from "./operation-plan.ts";

/** KEEL-531 when units would be left without a machine, KEEL-532 for the last machine that takes units. */
export function guardMoves(
  plan: OperationPlan,
  confirm: Confirmation,
  cluster: string,
): KeelError | undefined {
  const { forecast } = plan;
  if (forecast === undefined) return undefined;
  if (forecast.isLastMachine && confirm.scope !== cluster) {
    const message = `No other machine of ${cluster} takes new units.`;
    return refusal("KEEL-532", message, { plan, needs: `--confirm ${cluster}` });
  }
  const { stranded } = forecast;
  if (stranded.length === 0 || confirm.stranded === true) return undefined;
  return refusal("KEEL-531", strandedWords(forecast), { plan, needs: "--allow-stranded" });
}

function strandedWords({ stranded }: Forecast): string {
  const shown = stranded.slice(0, 3).map(({ instance, reason }) => `${instance} (${reason})`);
  const more = stranded.length > 3 ? ` and ${stranded.length - 3} more` : "";
  return `No other machine takes ${shown.join(", ")}${more}.`;
}

function refusal(
  code: "KEEL-531" | "KEEL-532",
  message: string,
  { plan, needs }: { readonly plan: OperationPlan; readonly needs: string },
): KeelError {
  const hint = `Nothing was changed. If this is what you want, repeat with ${needs}`;
  return new KeelError(code, message, { hint, details: { plan: describePlan(plan), needs } });
}
