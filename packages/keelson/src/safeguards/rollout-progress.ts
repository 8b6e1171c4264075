// How far a rollout has come that an operation began, and what it says of the instances whose turn has not come.
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { Change } from "../model/operation.ts";
import type { Rollout } from "../model/rollout.ts";
import { isOpen, numberOf, rolloutKey, versionList } from "../model/version-of.ts";
import type { ProgressItem, RolloutProgress, Verdict } from "./progress-item.ts";

/** A rollout of the operation's, as it is now. */
export interface OwnRollout {
  readonly rollout: Rollout;
  /** Instances as the rollout names them. */
  readonly updated: ReadonlySet<string>;
}

/** Rollouts that an operation began, by their units. */
export function rolloutsOf(
  { id, changes }: { readonly id: string; readonly changes: readonly Change[] },
  { rollouts }: ClusterSnapshot,
): Map<string, OwnRollout> {
  return new Map(
    changes.flatMap(({ unit }) => {
      const rollout = rollouts.get(unit);
      if (rollout?.operation !== id) return [];
      return [[unit, { rollout, updated: new Set(rollout.updated) }] as const];
    }),
  );
}

/** How a rollout names an instance, one in its place or one on each machine. */
export const rolloutKeys = (instance: string, machine: string): readonly string[] => [
  instance,
  rolloutKey(instance, machine),
];

/** What is to be said of an instance that does not have the new version: its turn has yet to come, or never will. */
export function outsideTurn(
  own: OwnRollout | undefined,
  keys: readonly string[],
  snapshot: ClusterSnapshot,
): Verdict | undefined {
  if (own === undefined || !isOpen(own.rollout.state)) return undefined;
  const { rollout, updated } = own;
  switch (rollout.state) {
    case "running":
      if (keys.some((key) => updated.has(key))) return undefined;
      return { state: "pending", reason: "waits for its turn" };
    case "reverting":
      return {
        state: "pending",
        reason: `goes back to ${versionWords(rollout, snapshot)}: ${rollout.reason}`,
      };
    case "paused":
    case "aborted":
      if (keys.some((key) => updated.has(key))) return undefined;
      return { state: "failed", reason: `not updated: ${rollout.reason}` };
    case "done":
    case "reverted":
      return undefined;
  }
}

/** What it came from: `version 3`. */
export function versionWords({ unit, from }: Rollout, snapshot: ClusterSnapshot): string {
  const record = snapshot.units.get(unit);
  const number = record === undefined ? 0 : numberOf(from, versionList(record, snapshot));
  return number === 0 ? "the version before" : `version ${number}`;
}

/** Of the items only those of its unit count. */
export function rolloutProgress(
  { rollout, updated: keys }: OwnRollout,
  items: readonly ProgressItem[],
  snapshot: ClusterSnapshot,
): RolloutProgress {
  const own = items.filter(({ unit, want }) => unit === rollout.unit && want !== "gone");
  const isUpdated = ({ instance, machine }: ProgressItem): boolean =>
    rolloutKeys(instance, machine ?? "").some((key) => keys.has(key));
  const unit = snapshot.units.get(rollout.unit);
  const versions = unit === undefined ? [] : versionList(unit, snapshot);
  const updated = rollout.state === "done" ? own : own.filter(isUpdated);
  // While it is handed over an instance is in two places.
  const countOf = (some: readonly ProgressItem[]): number =>
    new Set(
      some.map(({ instance, machine }) =>
        keys.has(instance) ? instance : rolloutKey(instance, machine ?? ""),
      ),
    ).size;
  const waiting = updated.find(({ state }) => state === "pending");
  const isProven = rollout.state !== "running" || waiting !== undefined;
  return {
    unit: rollout.unit,
    state: rollout.state,
    from: numberOf(rollout.from, versions),
    to: numberOf(rollout.to, versions),
    updated: countOf(updated),
    total: countOf(own),
    batch: rollout.batch.length,
    waitsFor: isProven
      ? (waiting?.instance ?? "")
      : rollout.batch.length === 0
        ? ""
        : "the batch to stay healthy",
    reason: rollout.reason,
  };
}
