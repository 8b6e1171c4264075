// What would happen, as one would tell it to a colleague: what moves, what has no place, how full each machine gets.
import type { WhatIfView } from "../api/wire/foretelling.ts";
import type { Paint } from "./colour.ts";
import { count } from "./plan-text.ts";
import { alignColumns } from "./table.ts";

/** Most instances that are listed one by one. */
const mostLines = 40;

export function whatIfText(view: WhatIfView, paint: Paint): string {
  const names = new Map(view.machines.map(({ id, name }) => [id, name]));
  const on = (ids: readonly string[]): string =>
    ids.length === 0
      ? "nowhere"
      : ids.length > 4
        ? count(ids.length, "machine")
        : ids.map((id) => names.get(id) ?? id.slice(0, 8)).join(", ");
  const moves = view.moves.map(({ instance, from, to, because }) => [
    `${paint(to.length === 0 ? "yellow" : from.length === 0 ? "green" : "cyan", instance)}`,
    from.length === 0 ? `→ ${on(to)}` : `${on(from)} → ${on(to)}`,
    because,
  ]);
  const missing = view.unplaced.map(({ instance, from, reason, already }) => [
    paint(already ? "yellow" : "red", instance),
    already ? "waits already" : from.length === 0 ? "no place" : `${on(from)} → nowhere`,
    reason,
  ]);
  const stays = view.stays.map(({ instance, reason }) => [paint("red", instance), "stays", reason]);
  const lines = [...missing, ...stays, ...moves];
  const more = lines.length > mostLines ? `… and ${lines.length - mostLines} more: -o json lists them\n` : "";
  const alarms = view.alarms.map((text) => `${paint("red", "The leader would hold back:")} ${text}\n`);
  return [
    `${paint("bold", `If ${lowerFirst(view.supposed)}:`)}\n`,
    ...alarms,
    lines.length === 0 ? "nothing moves.\n" : alignColumns(lines.slice(0, mostLines)),
    more,
    machinesText(view),
    `${verdict(view)}\n`,
  ].join("");
}

function machinesText({ machines }: WhatIfView): string {
  const changed = machines.filter(
    ({ state, before, after }) => state !== "stays" || JSON.stringify(before) !== JSON.stringify(after),
  );
  if (changed.length === 0) return "";
  const requests = changed.some(({ before, after }) => before.memoryBytes + after.memoryBytes > 0);
  const processors = changed.some(({ before, after }) => before.cpus + after.cpus > 0);
  const rows = changed
    .slice(0, mostLines)
    .map(({ name, state, before, after }) => [
      state === "stays" ? name : `${name} (${state})`,
      arrow(before.instances, after.instances),
      ...(requests ? [arrow(mebibytes(before.memoryBytes), mebibytes(after.memoryBytes))] : []),
      ...(processors ? [arrow(before.cpus, after.cpus)] : []),
    ]);
  const legend = ["MACHINE", "UNITS", ...(requests ? ["REQUESTED"] : []), ...(processors ? ["CPUS"] : [])];
  const more = changed.length > mostLines ? `… and ${changed.length - mostLines} more machines\n` : "";
  return `${alignColumns([legend, ...rows])}${more}`;
}

function verdict({ unplaced, stays, fits, settled }: WhatIfView): string {
  const missing = unplaced.filter(({ already }) => !already).length;
  const rest = settled ? "" : " The cluster would not have come to rest after 15 minutes.";
  if (fits) return `Everything would have its place.${rest}`;
  const parts = [
    ...(missing > 0 ? [`${count(missing, "instance")} would have no place`] : []),
    ...(stays.length > 0 ? [`${count(stays.length, "instance")} could not leave`] : []),
  ];
  return `${parts.join("; ")}.${rest}`;
}

const arrow = (before: number | string, after: number | string): string =>
  before === after ? `${before}` : `${before} → ${after}`;

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)}M`;

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
