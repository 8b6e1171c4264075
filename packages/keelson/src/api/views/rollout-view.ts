// Rollouts and versions as people see them: versions by their numbers.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import { instancesOf } from "../../model/instances.ts";
import type { Rollout } from "../../model/rollout.ts";
import type { Unit } from "../../model/unit.ts";
import { numberOf, openRollout, unitOfInstance, versionList, versionsOf } from "../../model/version-of.ts";
import type { ProgressFacts } from "../../safeguards/progress-item.ts";
import { progressOfRollout } from "../../safeguards/progress.ts";
import type { RolloutView, VersionView } from "../wire/rollout.ts";

/** The latest rollout of each unit, the latest first. */
export function rolloutViews(snapshot: ClusterSnapshot, facts: ProgressFacts): RolloutView[] {
  return [...snapshot.rollouts.values()]
    .toSorted((a, b) => b.started - a.started || (a.unit < b.unit ? -1 : 1))
    .flatMap((rollout) => {
      const unit = snapshot.units.get(rollout.unit);
      return unit === undefined ? [] : [rolloutView(rollout, unit, { snapshot, facts })];
    });
}

function rolloutView(
  rollout: Rollout,
  unit: Unit,
  { snapshot, facts }: { readonly snapshot: ClusterSnapshot; readonly facts: ProgressFacts },
): RolloutView {
  const { operation, state, from, to, batch, reason, started, changed } = rollout;
  const versions = versionList(unit, snapshot);
  const keys = openRollout(unit, snapshot) === undefined ? undefined : instanceCounts(unit, snapshot);
  const total = [...(keys ?? instanceCounts(unit, snapshot)).values()].reduce((sum, count) => sum + count, 0);
  const updated = keys === undefined ? (state === "done" ? total : 0) : (keys.get(to) ?? 0);
  return {
    unit: unit.name,
    operation,
    state,
    from: { number: numberOf(from, versions), hash: from },
    to: { number: numberOf(to, versions), hash: to },
    updated,
    total,
    batch,
    waitsFor: state === "running" ? (progressOfRollout(rollout, snapshot, facts)?.waitsFor ?? "") : "",
    reason,
    started,
    changed,
  };
}

/** By hash, how many instances are to have it. */
function instanceCounts(unit: Unit, snapshot: ClusterSnapshot): Map<string, number> {
  const counts = new Map<string, number>();
  if (unit.desired === "inactive") return counts;
  const read = versionsOf(unit, snapshot);
  const add = (hash: string): void => void counts.set(hash, (counts.get(hash) ?? 0) + 1);
  const rollout = openRollout(unit, snapshot);
  const names = new Set(instancesOf(unit, snapshot.units).map(({ name }) => name));
  const placed = new Set<string>();
  for (const [machine, entries] of snapshot.schedule) {
    if (!snapshot.machines.has(machine)) continue;
    for (const { unit: name, companion } of entries.values()) {
      if (companion || !names.has(name) || unitOfInstance(name, snapshot) !== unit) continue;
      const hash = read(name, machine);
      // Of a unit on its way to another machine one is counted.
      if (placed.has(name) && rollout?.updated.includes(name)) continue;
      placed.add(name);
      add(hash);
    }
  }
  for (const name of names) if (!placed.has(name)) add(read(name));
  return counts;
}

/** All versions of the unit, the newest first. */
export function versionViews(unit: Unit, snapshot: ClusterSnapshot): VersionView[] {
  const counts = instanceCounts(unit, snapshot);
  const rollout = openRollout(unit, snapshot);
  const versions = versionList(unit, snapshot);
  const present = numberOf(rollout?.from ?? unit.hash, versions);
  const rolling = rollout === undefined ? 0 : numberOf(rollout.to, versions);
  return versions
    .map(({ number, hash, operation, who, at, failed }) => ({
      number,
      hash,
      operation: operation === "" ? null : operation,
      who,
      at,
      current: number === present,
      rolling: number === rolling,
      instances: counts.get(hash) ?? 0,
      failed: failed ?? null,
    }))
    .toReversed();
}
