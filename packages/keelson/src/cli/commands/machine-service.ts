// Machines in and out of service: cordon, drain, reboot. The cluster's daemon does it; only a reboot is local.
import type { Command } from "commander";
import { exitCode, KeelError } from "../../base/errors.ts";
import type { ExitCode } from "../../base/errors.ts";
import type { MachineProvider } from "../../local/machine-provider.ts";
import { change, type ChangeOptions, makeChange, reportChange } from "../change.ts";
import { parseDuration } from "../duration.ts";
import type { Act, Invocation } from "../invocation.ts";
import { machinesJoined } from "../local-cluster/machines.ts";
import { withGuards, withStranded, withWait } from "../options.ts";

export interface DrainOptions extends ChangeOptions {
  readonly deadline?: string;
  readonly reason?: string;
}

/** A drain waits longer than other changes: units stop and start one after another. */
const drainTimeout = "10m";

export function registerService(
  group: Command,
  act: Act,
  local: (keel: Invocation, name: string) => Promise<MachineProvider>,
): void {
  registerCordon(group.command("cordon"), { act, cordoned: true });
  registerCordon(group.command("uncordon").alias("undrain"), { act, cordoned: false });
  registerDrain(group.command("drain"), act);
  registerReboot(group.command("reboot"), { act, local });
}

function registerCordon(
  command: Command,
  { act, cordoned }: { readonly act: Act; readonly cordoned: boolean },
): void {
  command
    .argument("<machine>", "a machine")
    .description(
      cordoned
        ? "A machine takes no new units; those that it has stay."
        : "Put a machine into service again: ends a cordon or a drain. Nothing moves back by itself.",
    );
  act<ChangeOptions>(withGuards(withWait(command)), (keel, [machine = ""], options) =>
    change(keel, { kind: "cordon", machine, cordoned }, options),
  );
}

function registerDrain(command: Command, act: Act): void {
  withDrain(
    command
      .argument("<machine>", "a machine")
      .description("Move a machine’s units elsewhere, and no new ones to it."),
  );
  act<DrainOptions>(withGuards(withStranded(withWait(command))), (keel, [machine = ""], options) =>
    drain(keel, machine, options),
  );
}

function withDrain(command: Command): Command {
  return command
    .option("--deadline <span>", "stop after this long what has not moved")
    .option("--reason <words>", "why, for the others");
}

const intentOf = (machine: string, { deadline, reason = "" }: DrainOptions) =>
  ({
    kind: "drain",
    machine,
    reason,
    ...(deadline === undefined
      ? {}
      : { deadlineSeconds: Math.max(1, Math.round(parseDuration(deadline, "--deadline") / 1000)) }),
  }) as const;

/** Plans or makes a drain, and waits until the machine is empty. */
function drain(keel: Invocation, machine: string, options: DrainOptions): Promise<ExitCode> {
  return change(keel, intentOf(machine, options), { timeout: drainTimeout, ...options });
}

/** Drains a machine before something is done to it. Throws what was in the way: it stays drained as far as it is. */
export async function emptied(keel: Invocation, machine: string, options: DrainOptions): Promise<void> {
  const made = await makeChange(keel, intentOf(machine, options), {
    timeout: drainTimeout,
    ...options,
    wait: true,
  });
  const isEmpty = made.progress?.outcome === "succeeded" && !made.timedOut;
  if (!isEmpty) await reportChange(keel, made);
}

function registerReboot(
  command: Command,
  {
    act,
    local,
  }: { readonly act: Act; readonly local: (keel: Invocation, name: string) => Promise<MachineProvider> },
): void {
  withDrain(
    command
      .argument("<machine>", "a local machine")
      .description("Drain a local machine, reboot it, and put it into service again."),
  );
  act<DrainOptions>(withGuards(withStranded(withWait(command))), async (keel, [word = ""], options) => {
    if (options.dryRun === true) return drain(keel, word, options);
    const provider = await local(keel, word);
    const client = await keel.daemon();
    const { machines } = await client.snapshot();
    const before = machines.find(({ name }) => name === word);
    if (before === undefined) throw new KeelError("KEEL-502", `There is no machine ${word}.`);
    await emptied(keel, word, { reason: "reboot", ...options });
    await keel.progress.run(`reboot ${word}`, async () => {
      await provider.stop(word);
      await provider.start(word);
      await provider.ready(word);
    });
    await keel.progress.run(`${word} in the cluster`, (step) =>
      machinesJoined([word], client, { timeoutMs: 120_000 * provider.slowness, signal: keel.signal, step }),
    );
    await makeChange(keel, { kind: "cordon", machine: word, cordoned: false }, options);
    keel.output.document({ rebooted: word }, () => `${word} was rebooted and is in service again\n`);
    return exitCode.done;
  });
}
