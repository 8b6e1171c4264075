import type { MachineView, SnapshotView } from "../../api/wire.ts";
import { KeelError } from "../../base/errors.ts";
import type { Register } from "../invocation.ts";
import { findMachine, placedInstances, runOnMachine, withoutDashes } from "../machine-access.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("ssh")
    .argument("<target>", "a machine, or a unit: the machine that it is on")
    .argument("[command...]", "what to run there; a shell if absent")
    .passThroughOptions()
    .option("-t, --tty", "ask for a terminal even for a command")
    .description("Open a shell or run a command on a machine. Ends with that command’s exit code.");
  act<{ readonly tty?: boolean }>(command, async (keel, [target = "", ...rest], options) => {
    const words = withoutDashes(rest);
    const snapshot = await (await keel.daemon()).snapshot();
    const machine = machineFor(target, snapshot);
    const terminal = keel.terminal.interactive && keel.terminal.outIsTTY;
    return runOnMachine(keel, machine, {
      command: words,
      terminal: options.tty === true || (words.length === 0 && terminal),
    });
  });
};

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
