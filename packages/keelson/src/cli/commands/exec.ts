import { KeelError } from "../../base/errors.ts";
import type { Register } from "../invocation.ts";
import { placedInstances, runOnMachine, serviceOf, withoutDashes } from "../machine-access.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("exec")
    .argument("<unit>", "a unit or an instance that runs")
    .argument("<command...>", "what to run")
    .passThroughOptions()
    .option("-t, --tty", "ask for a terminal")
    .description(
      "Run a command in the container of a unit; for other units, on their machine. Ends with its exit code.",
    );
  act<{ readonly tty?: boolean }>(command, async (keel, [unit = "", ...rest], options) => {
    const words = withoutDashes(rest);
    const client = await keel.daemon();
    const placed = placedInstances([unit], await client.snapshot());
    const [first, second] = placed;
    if (!first || second) {
      const names = placed.map(({ instance, machine }) => `${instance.name} on ${machine.name}`).join(", ");
      throw new KeelError("KEEL-501", `"${unit}" has several instances: ${names}`, {
        hint: "name one of them",
      });
    }
    const terminal = options.tty === true || (keel.terminal.interactive && keel.terminal.outIsTTY);
    const isContainer = first.instance.name.endsWith(".container");
    const remote = isContainer
      ? inContainer(await serviceOf(first.instance, client), words, terminal)
      : words;
    return runOnMachine(keel, first.machine, { command: remote, terminal });
  });
};

/** Finds the container by the label that podman gives to what a unit runs. */
export function inContainer(service: string, words: readonly string[], terminal: boolean): readonly string[] {
  const script = `id=$(podman ps --quiet --filter "label=PODMAN_SYSTEMD_UNIT=$1" | head -n 1)
[ -n "$id" ] || { echo "no container of $1 runs here" >&2; exit 125; }
shift
exec podman exec --interactive ${terminal ? "--tty " : ""}"$id" "$@"`;
  return ["sh", "-c", script, "keel-exec", service, ...words];
}
