import { exitCode, KeelError } from "../../../base/errors.ts";
import type { GrowthPlan, MoveLine } from "../../../api/wire.ts";
import { formatDuration } from "../../duration.ts";
import type { Invocation, Register } from "../../invocation.ts";
import { isErrorCode } from "../../report-error.ts";
import { Interrupted } from "../../report-error.ts";

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
    const plan = await (await keel.daemon()).planGrowth(members);
    if (options.dryRun === true) {
      keel.output.document({ plan }, () => planText(plan));
      return plan.refusals.length === 0 ? exitCode.done : exitCode.conflict;
    }
    refuse(plan);
    await confirm(keel, plan, options);
    const last = await growStore(keel, members);
    keel.output.document({ plan, outcome: last }, () => outcomeText(last));
    return exitCode.done;
  });
};

/** Grows the store and shows the steps. Throws the daemon's error when the growth was undone. */
export async function growStore(keel: Invocation, members: number): Promise<MoveLine> {
  const client = await keel.daemon();
  return keel.progress.run(`store on ${members} members`, async (step) => {
    try {
      for await (const line of client.growStore(members)) {
        step.update(line.words);
        if (line.error) {
          const { code, message, hint } = line.error;
          const known = isErrorCode(code) ? code : "KEEL-900";
          throw new KeelError(known, message, hint === undefined ? {} : { hint });
        }
        if (line.done) return line;
      }
    } catch (error) {
      if (!keel.signal.aborted) throw error;
      throw new Interrupted(
        `interrupted: the growth goes on by itself; \`${keel.command("store status")}\` follows it`,
      );
    }
    throw new KeelError("KEEL-602", "the daemon ended before the growth did", {
      hint: `\`${keel.command("store status")}\` shows how the store is`,
    });
  });
}

function memberCount(text: string | undefined): number {
  const count = Number(text ?? 3);
  if (Number.isInteger(count) && count >= 1 && count <= 7) return count;
  throw new KeelError("KEEL-104", `--members ${text}: a cluster has 1, 3, 5 or 7 members`);
}

function refuse({ refusals }: GrowthPlan): void {
  if (refusals.length > 0) throw new KeelError("KEEL-412", refusals.join("; "));
}

async function confirm(keel: Invocation, plan: GrowthPlan, { yes }: Options): Promise<void> {
  if (yes === true) return;
  keel.terminal.err(planText(plan));
  if (!keel.terminal.interactive) {
    throw new KeelError("KEEL-412", "nobody is there to confirm the plan", { hint: "repeat it with --yes" });
  }
  const answer = await keel.terminal.ask("Grow the store? [y/N] ", keel.signal);
  if (!/^y(es)?$/i.test(answer.trim())) throw new Interrupted("nothing was changed");
}

export function planText({ steps, refusals }: GrowthPlan): string {
  const lines = steps.map((step, index) => `${index + 1}. ${step}\n`);
  const against = refusals.map((refusal) => `not now: ${refusal}\n`);
  return [...lines, ...against].join("");
}

function outcomeText({ words, ms, pauseMs }: MoveLine): string {
  return `${words}\nit took ${formatDuration(ms)}; writers waited for ${formatDuration(pauseMs ?? 0)} at most, nothing was moved or restarted\n`;
}
