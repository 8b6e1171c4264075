import type { Register } from "../invocation.ts";
import { timelineText } from "../event-text.ts";
import { resolveUnits } from "../unit-arguments.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("timeline")
    .argument("<unit>", "a unit or an instance")
    .description(
      "Show each step of a unit’s latest change with its time: asked for, placed, image, file, start, healthy.",
    );
  act(command, async (keel, [word = ""]) => {
    const client = await keel.daemon();
    const [unit = word] = resolveUnits([word], await client.snapshot());
    const timeline = await client.timeline(unit);
    keel.output.document({ ...timeline }, () => timelineText(timeline, keel.paint));
  });
};
