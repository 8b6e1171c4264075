// Events and timelines, for people.
import type { EventView, HistoryStart, TimelineView } from "../api/wire/history.ts";
import { paintState } from "./colour.ts";
import type { Paint } from "./colour.ts";
import { formatDuration, formatMoment } from "./duration.ts";
import { alignColumns } from "./table.ts";

/** `2026-11-03 14:05:09.012  web.service  placed on m2: fewest units (0)  +12 ms  [operation]`. */
export function eventText(event: EventView, paint: Paint): string {
  const { at, exact, units, machineName, kind, text, why, operation, who, afterMs } = event;
  const time = `${formatMoment(at)}.${String(Math.floor(at) % 1000).padStart(3, "0")}`;
  const subject =
    units.length === 0 ? machineName : units.length > 3 ? `${units.length} units` : units.join(", ");
  const onto = kind === "withdrawn" ? " " : " on ";
  const place = units.length === 0 || machineName === "" ? "" : `${onto}${machineName}`;
  const because = why === "" ? "" : `: ${why}`;
  const after = afterMs === null ? "" : `  +${formatDuration(afterMs)}`;
  const from =
    operation === "" ? "" : paint("dim", `  [${operation}${kind === "operation" ? "" : ` by ${who}`}]`);
  const words = kind === "failed" || kind === "unhealthy" || kind === "alarm" ? paint("red", text) : text;
  return `${exact ? time : paint("dim", `~${time}`)}  ${paint("bold", subject)} ${words}${place}${because}${after}${from}\n`;
}

/** How far back the store's history goes. */
export function historyText({ firstAt, leftOut }: HistoryStart): string {
  if (firstAt === null) return "The store’s history holds no events.\n";
  const more = leftOut === 0 ? "" : `, and ${leftOut} older events are left out`;
  return `The store’s history goes back to ${formatMoment(firstAt)}${more}.\n`;
}

/** A table of steps for each instance, with what it began with and how long it took. */
export function timelineText({ unit, instances }: TimelineView, paint: Paint): string {
  if (instances.length === 0) return `${paint("bold", unit)} has no instances.\n`;
  return instances.map((instance) => instanceText(instance, paint)).join("\n");
}

type Instance = TimelineView["instances"][number];

function instanceText(instance: Instance, paint: Paint): string {
  const { name, machineName, steps, totalMs, isDone, reason, operation } = instance;
  const rows = steps.map(({ at, afterMs, tookMs, text, why }, index) => [
    index === 0 ? `  ${formatMoment(at)}` : `  +${formatDuration(afterMs)}`,
    index === 0 ? "" : formatDuration(tookMs),
    `${text}${why === "" ? "" : `: ${why}`}`,
  ]);
  const where = machineName === "" ? "" : ` on ${machineName}`;
  const isOver = isDone || steps.at(-1)?.kind === "ended";
  const end = !isOver
    ? "under way"
    : `${isDone ? "done" : "failed"}${totalMs === 0 ? "" : ` after ${formatDuration(totalMs)}`}`;
  const state = reason === "" ? paintState(paint, end) : `${end}: ${reason}`;
  const id = operation === null ? "" : paint("dim", `  operation ${operation.id}\n`);
  return `${paint("bold", `${name}${where}`)}  ${state}\n${alignColumns(rows)}${id}`;
}
