// What there is to say of a machine's two slots: where it runs from, what comes next, what failed.
import type { MachineSystem } from "../api/records.ts";

/** Failed versions that are named, the latest first; the others are counted. */
const named = 2;

/** Nothing for a machine without slots. */
export function slotLines(system: MachineSystem | undefined, updateTo: string | null): readonly string[] {
  if (system === undefined || system.slots === null) return [];
  const { version, slot, onTrial, next, other, failed } = system.slots;
  const back = other === null ? "" : `, ${other} in the other`;
  const lines = [`${version} in slot ${slot}${onTrial ? ", on trial" : ""}${back}`];
  if (next !== null && next !== version) lines.push(`${next} starts next`);
  const step = updateTo === null ? "" : stepWords(system, updateTo);
  if (step !== "") lines.push(step);
  const latest = failed.toSorted((a, b) => b.at - a.at);
  for (const one of latest.slice(0, named)) lines.push(`${one.version} failed here: ${one.reason}`);
  if (failed.length > named) lines.push(`and ${failed.length - named} more that failed`);
  return lines;
}

function stepWords({ step }: MachineSystem, to: string): string {
  if (step === null) return "";
  const { name, reason, progress } = step;
  const share =
    progress === null || progress.total === 0
      ? ""
      : `, ${Math.floor((100 * progress.done) / progress.total)} %`;
  const why = reason === "" ? "" : `: ${reason}`;
  switch (name) {
    case "waiting":
      return `update to ${to} waits for its turn${why}`;
    case "staging":
      return `writes ${to}${share}${why}`;
    case "staged":
      return `has ${to}, waits for its turn to restart${why}`;
    case "draining":
      return `update to ${to}: its units move elsewhere${why}`;
    case "restarting":
      return `restarts into ${to}${why}`;
    case "failed":
      return `update to ${to} failed${why}`;
    default:
      return "";
  }
}
