// What a change came to: a line for each instance, and how to take it back.
import type { InstanceView } from "../api/wire/instance.ts";
import type { ProgressView } from "../api/wire/operation.ts";
import type { MadeChange } from "./change.ts";
import { count } from "./plan-text.ts";
import { alignColumns } from "./table.ts";

type ProgressItem = ProgressView["items"][number];

export interface OutcomeFacts {
  readonly instances: readonly InstanceView[];
  /** A command line to show. */
  readonly command: (words: string) => string;
}

/** Changes of something other than units. */
const withoutUnits = new Set(["purge", "remove-machine", "rollout", "system-update"]);

/** What only steers something that goes on by itself. */
const steering = new Set(["rollout", "system-update"]);

/** Most instances that are listed one by one. */
const mostLines = 30;

/** The JSON of a change. */
export function changeDocument(made: MadeChange, facts: OutcomeFacts): Record<string, unknown> {
  const { instances } = facts;
  const { operation, progress, timedOut } = made;
  const { changes, ...summary } = operation;
  return {
    operation: { ...summary, units: changes.map((change) => change.unit) },
    outcome: timedOut ? "timed-out" : (progress?.outcome ?? "not-waited-for"),
    rollouts: progress?.rollouts ?? [],
    items: progress?.items.map((item) => ({ ...item, machineName: machineName(item, instances) })) ?? [],
    undo: undoCommand(made, facts) ?? null,
  };
}

/** The same for people: `web@1.container runs on m2: 172.30.0.12:32771`, and the line that undoes it. */
export function outcomeText(made: MadeChange, facts: OutcomeFacts): string {
  const { instances } = facts;
  const { operation, progress } = made;
  const items = progress?.items ?? [];
  const records = operation.records ?? 0;
  if (operation.changes.length + records === 0 && items.length === 0) {
    const done = withoutUnits.has(operation.kind) ? "done" : "nothing to change";
    return `${operation.summary}: ${done}\n`;
  }
  const rollouts = progress?.rollouts ?? [];
  const shown = items
    .slice(0, mostLines)
    .map((item) => itemLine({ ...item, reason: ownReason(item, rollouts) }, instances));
  const more =
    items.length > shown.length ? `… and ${count(items.length - shown.length, "more instance")}\n` : "";
  const body =
    shown.length === 0 ? `${operation.summary}: ${progress ? "done" : "asked for"}\n` : alignColumns(shown);
  const undo = undoCommand(made, facts);
  return `${body}${more}${undo === undefined ? "" : `undo: ${undo}\n`}`;
}

/** How to take the change back; undefined when there is nothing to take back, or no way to. */
function undoCommand({ operation, progress }: MadeChange, { command }: OutcomeFacts): string | undefined {
  const isBack = progress?.rollouts.some(({ state }) => state === "reverted") ?? false;
  const changes = operation.changes.length + (operation.records ?? 0);
  const undoable =
    !isBack && !steering.has(operation.kind) && changes > 0 && operation.impact.reversible !== "no";
  return undoable ? command(`undo ${operation.id}`) : undefined;
}

/** Why a rollout went back or stands still is said once, with the error, and not for each of its instances. */
function ownReason({ unit, state, reason }: ProgressItem, rollouts: ProgressView["rollouts"]): string {
  const halted = rollouts.find((it) => it.unit === unit && it.state !== "done" && it.state !== "running");
  const shared = `: ${halted?.reason ?? ""}`;
  return state === "failed" && halted !== undefined && shared !== ": " && reason.endsWith(shared)
    ? reason.slice(0, -shared.length)
    : reason;
}

function itemLine(item: ProgressItem, instances: readonly InstanceView[]): readonly string[] {
  if (item.state === "failed") return [item.instance, `failed: ${item.reason}`];
  if (item.state === "pending")
    return [item.instance, item.reason === "" ? "not yet" : `not yet: ${item.reason}`];
  if (item.want === "gone" || (item.want === "moved" && (item.machine ?? null) === null))
    return [item.instance, "gone"];
  if (item.want === "updated") return [item.instance, "updated"];
  const instance = instanceOf(item, instances);
  const where = machineName(item, instances);
  const runs = instance?.active === "inactive" ? "ran" : "runs";
  const what = item.want === "loaded" ? "loaded" : item.want === "restarted" ? "restarted" : runs;
  const addresses = instance?.addresses ?? [];
  return [item.instance, `${what}${where === null ? "" : ` on ${where}`}`, addresses.join(" ")].filter(
    (cell) => cell !== "",
  );
}

function instanceOf(item: ProgressItem, instances: readonly InstanceView[]): InstanceView | undefined {
  return instances.find(
    (instance) =>
      instance.name === item.instance &&
      ((item.machine ?? null) === null || instance.machine === item.machine),
  );
}

function machineName(item: ProgressItem, instances: readonly InstanceView[]): string | null {
  return instanceOf(item, instances)?.machineName ?? item.machine?.slice(0, 8) ?? null;
}
