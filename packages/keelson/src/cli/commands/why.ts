import type { Register } from "../invocation.ts";
import { resolveUnits } from "../unit-arguments.ts";
import { whyText } from "../why-text.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("why")
    .argument("<unit>", "a unit or an instance")
    .description("Say why a unit is where it is, or why it is nowhere: every machine with its reason.");
  act(command, async (keel, [word = ""]) => {
    const client = await keel.daemon();
    const snapshot = await client.snapshot();
    const [unit = word] = resolveUnits([word], snapshot);
    const why = await client.why(unit);
    keel.output.document({ unit, ...why }, () =>
      whyText({ why, instances: snapshot.instances, machines: snapshot.machines }, keel.paint),
    );
  });
};
