import { exitCode, KeelError } from "../../../base/errors.ts";
import type { ExitCode } from "../../../base/errors.ts";
import type { GrowthPlan } from "../../../api/wire/store.ts";
import type { Invocation, Register } from "../../invocation.ts";
import { confirmMove, movedText, moveStore } from "../../store-move.ts";

interface Options {
  readonly members?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export const registerGrow: Register = (group, act) => {
  const grow = group
    .command("grow")
    .option("--members <number>", "how many members: 1, 3, 5 or 7 (3)")
    .option("--dry-run", "print the plan and change nothing")
    .option("-y, --yes", "ask nothing")
    .description("Turn the embedded store into an etcd cluster on several machines, while everything runs.");
  act<Options>(grow, async (keel, _args, options) => {
    const members = memberCount(options.members);
    const plan = await (await keel.daemon()).store.planGrowth(members);
    if (options.dryRun === true) return printPlan(keel, plan);
    refuse(plan);
    if (options.yes !== true) keel.terminal.err(planText(plan));
    await confirmMove(keel, "Grow the store?", options);
    const last = await moveStore(keel, { to: "etcd", members });
    keel.output.document({ plan, outcome: last }, () => movedText(last));
    return exitCode.done;
  });
};

/** Ends with 8 when something stands in the way. */
export function printPlan(keel: Invocation, plan: GrowthPlan): ExitCode {
  keel.output.document({ plan }, () => planText(plan));
  return plan.refusals.length === 0 ? exitCode.done : exitCode.conflict;
}

export function memberCount(text: string | undefined): number {
  const count = Number(text ?? 3);
  if (Number.isInteger(count) && count >= 1 && count <= 7) return count;
  throw new KeelError("KEEL-104", `--members ${text}: a cluster has 1, 3, 5 or 7 members`);
}

function refuse({ refusals }: GrowthPlan): void {
  if (refusals.length > 0) throw new KeelError("KEEL-412", refusals.join("; "));
}

function planText({ steps, refusals }: GrowthPlan): string {
  const lines = steps.map((step, index) => `${index + 1}. ${step}\n`);
  const against = refusals.map((refusal) => `not now: ${refusal}\n`);
  return [...lines, ...against].join("");
}
