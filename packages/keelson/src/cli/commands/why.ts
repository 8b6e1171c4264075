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
    const [unit = word] = resolveUnits([word], await client.snapshot());
    const why = await client.why(unit);
    keel.output.document({ ...why }, () => whyText(why, keel.paint));
  });
};
