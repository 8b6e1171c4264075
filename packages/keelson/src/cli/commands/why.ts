import type { Register } from "../invocation.ts";
import { resolveUnits } from "../unit-arguments.ts";
import { whyMachineText, whyText } from "../why-text.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("why")
    .argument("<name>", "a unit, an instance or a machine")
    .description(
      "Say why a unit is where it is and how it is: every machine with its reason. Of a machine, what it has and why it takes nothing.",
    );
  act(command, async (keel, [word = ""]) => {
    const client = await keel.daemon();
    const snapshot = await client.snapshot();
    const machine = snapshot.machines.find(({ id, name }) => name === word || id === word);
    if (machine !== undefined) {
      const why = await client.whyMachine(machine.id);
      keel.output.document({ ...why }, () => whyMachineText(why, keel.paint));
      return;
    }
    const [unit = word] = resolveUnits([word], snapshot);
    const why = await client.why(unit);
    keel.output.document({ ...why }, () => whyText(why, keel.paint));
  });
};
