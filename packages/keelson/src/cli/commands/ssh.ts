import type { MachineView } from "../../api/wire/machine.ts";
import type { SnapshotView } from "../../api/wire/snapshot.ts";
import { KeelError } from "../../base/errors.ts";
import type { Register } from "../invocation.ts";
import { findMachine, placedInstances, portOf, runOnMachine, withoutDashes } from "../machine-access.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("ssh")
    .argument("[target]", "a machine, or a unit: the machine that it is on")
    .argument("[command...]", "what to run there; a shell if absent")
    .passThroughOptions()
    .option("-t, --tty", "ask for a terminal even for a command")
    .option("--machine <name>", "this machine; all words are the command then")
    .option("--unit <name>", "the machine of this unit; all words are the command then")
    .option("-A, --forward-agent", "let the machine use the ssh-agent of this one")
    .option("--ssh-port <number>", "the machine’s port for ssh (22)")
    .description("Open a shell or run a command on a machine. Ends with that command’s exit code.");
  act<SshOptions>(command, async (keel, args, options) => {
    const [target, words] = targetOf(args, options);
    const port = portOf(options);
    const snapshot = await (await keel.daemon()).snapshot();
    const machine = target(snapshot);
    const terminal = keel.terminal.interactive && keel.terminal.outIsTTY;
    return runOnMachine(keel, machine, {
      command: words,
      terminal: options.tty === true || (words.length === 0 && terminal),
      port,
      forwardAgent: options.forwardAgent,
    });
  });
};

interface SshOptions {
  readonly tty?: boolean;
  readonly machine?: string;
  readonly unit?: string;
  readonly forwardAgent?: boolean;
  readonly sshPort?: string;
}

/** Which machine is meant, and the command for it. Throws KEEL-104. */
function targetOf(
  args: readonly string[],
  { machine, unit }: SshOptions,
): readonly [(snapshot: SnapshotView) => MachineView, readonly string[]] {
  if (machine !== undefined && unit !== undefined)
    throw new KeelError("KEEL-104", "--machine and --unit together", { hint: "give one of them" });
  if (machine !== undefined) return [({ machines }) => findMachine(machine, machines), withoutDashes(args)];
  const noMachine = new KeelError("KEEL-501", `no unit "${unit ?? ""}"`);
  if (unit !== undefined)
    return [(snapshot) => machineOfUnit(unit, snapshot, noMachine), withoutDashes(args)];
  const [target, ...rest] = args;
  if (target === undefined)
    throw new KeelError("KEEL-104", "no machine and no unit is named", { hint: "keel ssh MACHINE" });
  return [(snapshot) => machineFor(target, snapshot), withoutDashes(rest)];
}

/** A machine by its own name, or else the one machine that a unit is on. Throws KEEL-502. */
function machineFor(target: string, snapshot: SnapshotView): MachineView {
  try {
    return findMachine(target, snapshot.machines);
  } catch (error) {
    if (!(error instanceof KeelError) || error.code !== "KEEL-502") throw error;
    return machineOfUnit(target, snapshot, error);
  }
}

function machineOfUnit(target: string, snapshot: SnapshotView, noMachine: KeelError): MachineView {
  let placed: ReturnType<typeof placedInstances>;
  try {
    placed = placedInstances([target], snapshot);
  } catch (error) {
    if (error instanceof KeelError && error.code === "KEEL-501") throw noMachine;
    throw error;
  }
  const machines = new Set(placed.map(({ machine }) => machine));
  const [first, second] = machines;
  if (first && !second) return first;
  const names = placed.map(({ instance, machine }) => `${instance.name} on ${machine.name}`).join(", ");
  throw new KeelError("KEEL-502", `"${target}" is on several machines: ${names}`, {
    hint: "name an instance or a machine",
  });
}
