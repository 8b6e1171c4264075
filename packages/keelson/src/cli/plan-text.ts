// A plan, and what it would take, in words.
import type { PlanView } from "../api/wire/operation.ts";
import type { Change } from "../model/operation.ts";
import type { Paint } from "./colour.ts";
import { forecastText } from "./forecast-text.ts";
import { alignColumns } from "./table.ts";

/** Most changes that are listed one by one. */
const mostLines = 20;

/** `+ web.container  start`, one line for each change, then the impact in a sentence. */
export function planText(plan: Omit<PlanView, "refusal"> & Partial<PlanView>, paint: Paint): string {
  if (plan.changes.length === 0 && (plan.records?.length ?? 0) > 0) {
    const lines = plan.forecast === undefined ? "" : forecastText(plan.forecast, paint);
    return `${paint("bold", plan.summary)}\n${lines}${notesText(plan)}${refusalText(plan)}`;
  }
  if (plan.changes.length === 0) {
    // What cannot be undone changes something, though no unit.
    const isChange = plan.impact.reversible === "no";
    const what = isChange ? `\n${impactSentence(plan)}` : ": nothing to change";
    return `${plan.summary}${what}\n${notesText(plan)}${refusalText(plan)}`;
  }
  const shown = plan.changes.slice(0, mostLines);
  const lines = shown.map((change) => {
    const { mark, words } = changeWords(change);
    const colour = mark === "+" ? "green" : mark === "-" ? "red" : "yellow";
    return [`${paint(colour, mark)} ${change.unit}`, words];
  });
  const more = plan.changes.length - shown.length;
  const rest = more > 0 ? `… and ${more} more\n` : "";
  return `${paint("bold", plan.summary)}\n${alignColumns(lines)}${rest}${impactSentence(plan)}\n${notesText(plan)}${refusalText(plan)}`;
}

/** `stops or removes 3 of 12 units (25 %), 5 running instances; can be undone exactly`. */
export function impactSentence(plan: Pick<PlanView, "impact">): string {
  const { affected, total, percent, instances, reversible } = plan.impact;
  const running = instances === 0 ? "" : `, ${count(instances, "running instance")}`;
  const what =
    affected === 0
      ? "stops nothing"
      : `stops or removes ${affected} of ${count(total, "unit")} (${round(percent)} %)${running}`;
  const back = reversible === "no" ? "cannot be undone" : `can be undone ${reversible}`;
  return `Impact: ${what}; ${back}.`;
}

/** What happens to one unit. */
export function changeWords({ before, after }: Change): {
  readonly mark: "+" | "-" | "~";
  readonly words: string;
} {
  if (!before && after)
    return { mark: "+", words: `new, ${desiredWords(after.desired)}${replicaWords(after.replicas)}` };
  if (before && !after) return { mark: "-", words: "destroy" };
  const parts: string[] = [];
  if (before && after) {
    if (before.desired !== after.desired) parts.push(`${before.desired} → ${after.desired}`);
    if (before.replicas !== after.replicas) parts.push(`replicas ${before.replicas} → ${after.replicas}`);
    if (before.hash !== after.hash)
      parts.push(`content ${before.hash.slice(0, 7)} → ${after.hash.slice(0, 7)}`);
    if (before.restarts !== after.restarts) parts.push("restart");
    else parts.push(...restartedWords(before, after));
  }
  return { mark: "~", words: parts.length === 0 ? "as it is" : parts.join(", ") };
}

/** `restart web@2.service` for replicas that restart alone. */
function restartedWords(
  { replicaRestarts: then = {} }: NonNullable<Change["before"]>,
  { replicaRestarts: now = {} }: NonNullable<Change["after"]>,
): string[] {
  const names = Object.keys(now).filter((name) => now[name] !== then[name]);
  return names.length === 0 ? [] : [`restart ${names.join(", ")}`];
}

export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

function desiredWords(desired: string): string {
  return desired === "launched" ? "start" : desired === "loaded" ? "place, not started" : "known only";
}

function replicaWords(replicas: number): string {
  return replicas === 0 ? "" : `, ${count(replicas, "replica")}`;
}

function notesText(plan: Pick<PlanView, "notes">): string {
  return plan.notes.map((note) => `note: ${note}\n`).join("");
}

function refusalText({ refusal }: Partial<PlanView>): string {
  if (!refusal) return "";
  return `It would be refused: ${refusal.message}${refusal.hint === undefined ? "" : `\n${refusal.hint}`}\n`;
}

function round(percent: number): string {
  return Number.isInteger(percent) ? String(percent) : percent.toFixed(1);
}
