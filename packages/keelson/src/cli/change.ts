// Every change goes this way: ask, confirm what a guard refuses, wait for the outcome, say how to take it back.
import { userInfo } from "node:os";
import { KeelError, exitCode } from "../base/errors.ts";
import type { ExitCode } from "../base/errors.ts";
import type { InstanceView } from "../api/wire/instance.ts";
import type { OperationView, PlanView, ProgressView } from "../api/wire/operation.ts";
import type { Confirmation, Intent } from "../model/operation.ts";
import { harmless, plain } from "./colour.ts";
import type { DaemonClient } from "./daemon/client.ts";
import { planAnswer } from "./daemon/answers/operation.ts";
import type { Invocation } from "./invocation.ts";
import { timeoutOf } from "./invocation.ts";
import { waits } from "./options.ts";
import type { GuardOptions, WaitOptions } from "./options.ts";
import { followOperation } from "./operation-progress.ts";
import { changeDocument, outcomeText } from "./outcome-text.ts";
import { type RolloutProgress, rolloutWords } from "./rollout-text.ts";
import { planText } from "./plan-text.ts";
import { Interrupted, toKeelError } from "./report-error.ts";

/** How long to wait for the addresses of containers that run. */
const addressesMs = 500;

/** What guards refuse and a person may confirm. */
const confirmable: ReadonlySet<string> = new Set([
  "KEEL-201",
  "KEEL-202",
  "KEEL-204",
  "KEEL-531",
  "KEEL-532",
]);

export type ChangeOptions = GuardOptions & WaitOptions;

/** A change that was made. */
export interface MadeChange {
  readonly operation: OperationView;
  /** The last that was seen of it; undefined when nobody waited. */
  readonly progress: ProgressView | undefined;
  readonly timedOut: boolean;
}

/**
 * Plans or makes a change and prints what came of it. Resolves with the exit code; throws what a guard
 * refuses and nobody confirms.
 */
export async function change(keel: Invocation, intent: Intent, options: ChangeOptions): Promise<ExitCode> {
  if (options.dryRun === true) return showPlan(keel, intent, options);
  const made = await makeChange(keel, intent, options);
  return reportChange(keel, made);
}

/** Makes a change and waits for it as the options say, printing progress only. */
export async function makeChange(
  keel: Invocation,
  intent: Intent,
  options: ChangeOptions,
): Promise<MadeChange> {
  // Read first: a span that cannot be read must be told before anything is changed.
  const timeoutMs = timeoutOf(options);
  const client = await keel.daemon();
  const operation = await operateConfirmed(keel, client, intent, options);
  if (keel.output.format === "text")
    for (const note of operation.notes ?? []) keel.terminal.err(`note: ${harmless(note)}\n`);
  if (!waits(options)) return { operation, progress: undefined, timedOut: false };
  try {
    const { progress, timedOut } = await followOperation(keel, client, operation, timeoutMs);
    return { operation, progress, timedOut };
  } catch (error) {
    if (!keel.signal.aborted) throw error;
    const { id } = operation;
    const next = `\`${keel.command(`op show ${id}`)}\` follows it, \`${keel.command(`undo ${id}`)}\` takes it back`;
    throw new Interrupted(`interrupted: operation ${id} goes on by itself; ${next}`);
  }
}

/** Prints the outcome to stdout; the error to throw when it is none. */
export async function reportChange(keel: Invocation, made: MadeChange): Promise<ExitCode> {
  const { operation, progress, timedOut } = made;
  const facts = { instances: await instancesOf(keel, progress), command: keel.command };
  keel.output.document(changeDocument(made, facts), () => outcomeText(made, facts));
  const undo = `\`${keel.command(`undo ${operation.id}`)}\` takes it back`;
  if (timedOut) {
    throw new KeelError(
      "KEEL-602",
      `operation ${operation.id} is not finished yet: ${pendingWords(progress)}`,
      {
        hint: `it goes on by itself; \`${keel.command(`op show ${operation.id}`)}\` follows it; ${undo}`,
        details: { operation: operation.id },
      },
    );
  }
  const halted = progress?.rollouts.find(({ state }) => state !== "done" && state !== "running");
  if (halted !== undefined) throw haltedRollout(keel, operation, halted);
  if (progress?.outcome === "partly") {
    throw new KeelError("KEEL-603", `operation ${operation.id} succeeded in part: ${failedWords(progress)}`, {
      hint: undo,
      details: { operation: operation.id },
    });
  }
  if (progress?.outcome === "failed") throw failure(operation, progress, undo);
  return exitCode.done;
}

/** Follows an operation that was made before, and prints its outcome. */
export async function followChange(keel: Invocation, id: string, options: ChangeOptions): Promise<ExitCode> {
  const client = await keel.daemon();
  const operation = await client.operation(id);
  const followed = await followOperation(keel, client, operation, timeoutOf(options));
  return reportChange(keel, { operation, ...followed });
}

function haltedRollout(keel: Invocation, { id }: OperationView, rollout: RolloutProgress): KeelError {
  const { unit, from, to, state, reason } = rollout;
  const details = { operation: id, unit, from, to, state };
  if (state === "reverted" || state === "reverting") {
    const message = `${unit} went back from version ${to} to version ${from}: ${reason}`;
    const hint = `\`${keel.command(`diff ${unit} ${from} ${to}`)}\` shows what was new in it`;
    return new KeelError("KEEL-544", message, { hint, details });
  }
  const message = `the rollout of ${unit} is ${rolloutWords(rollout)}`;
  const [resume, back] = [keel.command(`rollout resume ${unit}`), keel.command(`rollback ${unit}`)];
  return new KeelError("KEEL-545", message, {
    hint: `\`${resume}\` goes on, \`${back}\` goes back`,
    details,
  });
}

/** What is known of the instances that the operation was about: machines by name, addresses. */
async function instancesOf(
  keel: Invocation,
  progress: ProgressView | undefined,
): Promise<readonly InstanceView[]> {
  const items = progress?.items ?? [];
  if (items.length === 0) return [];
  const client = await keel.daemon();
  const names = new Set(items.map((item) => item.instance));
  const running = items.filter(({ want, state }) => want === "active" && state === "ready");
  const containers = new Set(
    running.map(({ instance }) => instance).filter((name) => name.endsWith(".container")),
  );
  // A container's ports are known a moment after it runs; some publish none.
  for (const end = keel.clock.now() + addressesMs; ;) {
    const instances = (await client.snapshot()).instances.filter(({ name }) => names.has(name));
    const missing = instances.some(({ name, addresses }) => containers.has(name) && addresses.length === 0);
    if (!missing || keel.clock.now() > end) return instances;
    await keel.clock.sleep(50, keel.signal);
  }
}

function failure(operation: OperationView, progress: ProgressView, undo: string): KeelError {
  const failed = progress.items.filter((item) => item.state === "failed");
  const unplaced = failed.length > 0 && failed.every((item) => (item.machine ?? null) === null);
  const unit = failed[0]?.instance ?? "";
  const look = unplaced
    ? `\`keel why ${unit}\` shows each machine with its reason`
    : `\`keel journal ${unit}\` shows its last words`;
  return new KeelError(unplaced ? "KEEL-503" : "KEEL-504", failedWords(progress), {
    hint: `${look}; ${undo}`,
    details: { operation: operation.id },
  });
}

async function showPlan(keel: Invocation, intent: Intent, options: ChangeOptions): Promise<ExitCode> {
  const client = await keel.daemon();
  const plan = await client.plan({
    intent,
    confirm: confirmationOf(options),
    who: whoAsks(keel),
    via: "cli",
  });
  keel.output.document({ plan }, () => planText(plan, keel.paint));
  const changes = plan.changes.length + (plan.records?.length ?? 0) > 0;
  return changes && options.detailedExitcode === true ? exitCode.planHasChanges : exitCode.done;
}

async function operateConfirmed(
  keel: Invocation,
  client: DaemonClient,
  intent: Intent,
  options: ChangeOptions,
): Promise<OperationView> {
  const ask = (confirm: Confirmation): Promise<OperationView> =>
    client.operate({ intent, confirm, who: whoAsks(keel), via: "cli" });
  try {
    return await ask(confirmationOf(options));
  } catch (cause) {
    const error = toKeelError(cause);
    if (error.exitCode !== exitCode.refused) throw cause;
    const plan = planIn(error);
    if (plan && keel.output.format === "text") keel.terminal.err(harmless(planText(plan, plain)));
    const confirmed = await confirmRefused(keel, error, plan, options);
    if (!confirmed) throw cause;
    return ask(confirmed);
  }
}

/** Asks a person for what the guard wants; undefined when there is nobody to ask or the answer is no. */
async function confirmRefused(
  keel: Invocation,
  error: KeelError,
  plan: PlanView | undefined,
  options: ChangeOptions,
): Promise<Confirmation | undefined> {
  if (!keel.terminal.interactive || options.yes === true || keel.output.format !== "text") return undefined;
  if (!confirmable.has(error.code)) return undefined;
  const { cluster } = await (await keel.daemon()).health();
  const question = `${error.message}\nType the cluster's name (${cluster}) to do it all the same: `;
  const answer = (await keel.terminal.ask(question, keel.signal)).trim();
  if (answer !== cluster) return undefined;
  return { maxImpact: Math.ceil(plan?.impact.percent ?? 100), scope: answer, stranded: true };
}

function planIn(error: KeelError): PlanView | undefined {
  const result = planAnswer.safeParse(error.details?.plan);
  return result.success ? result.data : undefined;
}

/** `--max-impact` and `--confirm`. Throws KEEL-104 for a figure that is no percentage. */
export function confirmationOf(options: GuardOptions): Confirmation {
  const percent = options.maxImpact === undefined ? undefined : Number(options.maxImpact.replace(/%$/, ""));
  if (percent !== undefined && !(percent >= 0 && percent <= 100)) {
    throw new KeelError("KEEL-104", `--max-impact ${options.maxImpact}: no percentage`, {
      hint: "--max-impact 40",
    });
  }
  return {
    ...(percent === undefined ? {} : { maxImpact: percent }),
    ...(options.confirm === undefined ? {} : { scope: options.confirm }),
    ...(options.allowStranded === true ? { stranded: true } : {}),
  };
}

/** The person behind the command: sudo's if there is one. */
export function whoAsks(keel: Pick<Invocation, "terminal">): string {
  const name = keel.terminal.env.SUDO_USER ?? keel.terminal.env.USER ?? "";
  return (name === "" ? userInfo().username : name).slice(0, 200);
}

function pendingWords(progress: ProgressView | undefined): string {
  const pending = progress?.items.filter((item) => item.state === "pending") ?? [];
  return pending.length === 0 ? "no word yet" : itemWords(pending);
}

function failedWords(progress: ProgressView): string {
  return itemWords(progress.items.filter((item) => item.state === "failed"));
}

/** `web@1.container (no image), web@2.container (…)`, the first three. */
function itemWords(items: ProgressView["items"]): string {
  const shown = items
    .slice(0, 3)
    .map((item) => (item.reason === "" ? item.instance : `${item.instance} (${item.reason})`));
  return items.length > 3 ? `${shown.join(", ")} and ${items.length - 3} more` : shown.join(", ");
}
