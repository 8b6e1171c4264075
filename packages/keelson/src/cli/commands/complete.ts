import { candidatesFor } from "../completion.ts";
import type { Register } from "../invocation.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("complete", { hidden: true })
    .argument("[words...]", "the words typed so far; the last is the one to complete")
    .description("Print candidates for the word being typed, one a line.");
  act(command, async (keel, words) => {
    const candidates = await candidatesFor(words, keel);
    const items = candidates.map(({ value, description }) => ({ value, description }));
    keel.output.list({
      name: "candidates",
      type: "candidate",
      items,
      text: () => items.map(({ value, description }) => `${value}\t${description}\n`).join(""),
    });
  });
};
