// A snapshot with other records in it, as if they had been written.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import { type ClusterSettings, defaultClusterSettings } from "../../model/machine-settings.ts";
import type { Change } from "../../model/operation.ts";
import type { RecordChange, RecordKind } from "../../model/record-kinds.ts";
import type { SystemUpdate } from "../../model/system-update.ts";

const places = {
  "machine-settings": "machineSettings",
  move: "moves",
  rollout: "rollouts",
  versions: "versions",
  job: "jobs",
  timer: "timers",
  "system-order": "systemOrders",
} as const satisfies Record<Exclude<RecordKind, "cluster-settings" | "system-update">, keyof ClusterSnapshot>;

/** The same snapshot when there is no change. */
export function withRecords(snapshot: ClusterSnapshot, records: readonly RecordChange[]): ClusterSnapshot {
  let next = snapshot;
  for (const { kind, name, after } of records) {
    if (kind === "cluster-settings") {
      next = { ...next, settings: (after as ClusterSettings | undefined) ?? defaultClusterSettings };
      continue;
    }
    if (kind === "system-update") {
      next = { ...next, systemUpdate: after as SystemUpdate | undefined };
      continue;
    }
    const place = places[kind];
    const records = new Map<string, unknown>(next[place]);
    if (after === undefined) records.delete(name);
    else records.set(name, after);
    next = { ...next, [place]: records };
  }
  return next;
}

/** The same snapshot when there is no change. */
export function withChanges(snapshot: ClusterSnapshot, changes: readonly Change[]): ClusterSnapshot {
  if (changes.length === 0) return snapshot;
  const units = new Map(snapshot.units);
  for (const { unit, after } of changes) {
    if (after === undefined) units.delete(unit);
    else units.set(unit, after);
  }
  return { ...snapshot, units };
}
