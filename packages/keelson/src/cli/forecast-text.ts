// What a change would move, in words.
import type { Forecast } from "../model/forecast.ts";
import type { Paint } from "./colour.ts";
import { alignColumns } from "./table.ts";

/** Most moves that are listed one by one. */
const mostLines = 20;

/** `→ web@1.service  m1 → m3  fewest units (2)`, one line for each instance, then a sentence. */
export function forecastText({ machines, moves, stranded, isLastMachine }: Forecast, paint: Paint): string {
  const nameOf = (id: string): string => machines[id] ?? id.slice(0, 8);
  const lines = [
    ...stranded.map(({ instance, reason }) => [`${paint("red", "!")} ${instance}`, "stays", reason]),
    ...moves.map(({ instance, from, to, because, isDown }) => [
      `${paint("yellow", "~")} ${instance}`,
      to === undefined ? "leaves" : `${nameOf(from)} → ${nameOf(to)}`,
      isDown ? `${because}; down while it moves` : because,
    ]),
  ];
  const shown = lines.slice(0, mostLines);
  const rest = lines.length - shown.length;
  const down = moves.filter((move) => move.isDown).length;
  const parts = [
    `${moves.length} of ${lines.length} ${lines.length === 1 ? "instance" : "instances"} can move`,
    ...(down > 0 ? [`${down} ${down === 1 ? "is" : "are"} down meanwhile`] : []),
    ...(stranded.length > 0
      ? [`${stranded.length} ${stranded.length === 1 ? "fits" : "fit"} nowhere else`]
      : []),
    ...(isLastMachine ? ["no other machine takes new units"] : []),
  ];
  const sentence = lines.length === 0 ? "Nothing has to move" : parts.join("; ");
  return `${alignColumns(shown)}${rest > 0 ? `… and ${rest} more\n` : ""}${sentence}.\n`;
}
