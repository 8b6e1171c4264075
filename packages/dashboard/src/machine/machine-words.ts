// A machine's state in a word and a tone.
import type { Machine } from "../api/records.ts";
import type { Tone } from "../element/state-mark.tsx";

export function machineLook({ state, drain, cordoned }: Pick<Machine, "state" | "drain" | "cordoned">): {
  readonly tone: Tone;
  readonly word: string;
} {
  if (state === "lost") return { tone: "bad", word: "lost" };
  if (drain !== null) return { tone: "warn", word: "being drained" };
  return cordoned ? { tone: "warn", word: "takes no new units" } : { tone: "good", word: "healthy" };
}
