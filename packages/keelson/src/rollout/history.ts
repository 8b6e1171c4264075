// The versions that are remembered of a unit, after its rollouts.
import type { ClusterSnapshot } from "../model/cluster.ts";
import type { RecordChange } from "../model/record-kinds.ts";
import type { Rollout, UnitVersions } from "../model/rollout.ts";

/** Notes on the version that was rolled out why it was gone back from, or (`undefined`) that it holds after all. */
export function withOutcome(
  { unit, to }: Rollout,
  failed: string | undefined,
  { versions }: ClusterSnapshot,
): RecordChange[] {
  const before = versions.get(unit);
  const tried = before?.versions.findLast(({ hash }) => hash === to);
  if (before === undefined || tried === undefined || tried.failed === failed) return [];
  const { failed: _, ...rest } = tried;
  const judged = failed === undefined ? rest : { ...rest, failed };
  const after: UnitVersions = {
    unit,
    versions: before.versions.map((version) => (version === tried ? judged : version)),
  };
  return [{ kind: "versions", name: unit, before, after }];
}

/**
 * Records of units that are no more: rollouts at once, versions when no operation is left that could bring the unit
 * back.
 */
export function forgotten({ units, rollouts, versions, operations }: ClusterSnapshot): RecordChange[] {
  const ended = [...rollouts.values()].filter(({ unit }) => !units.has(unit));
  const orphans = [...versions.values()].filter(({ unit }) => !units.has(unit));
  if (ended.length + orphans.length === 0) return [];
  const held = new Set<string>();
  for (const { changes } of operations.values()) for (const { unit } of changes) held.add(unit);
  return [
    ...ended
      .filter(({ operation }) => operations.get(operation)?.state !== "applying")
      .map((before): RecordChange => ({ kind: "rollout", name: before.unit, before })),
    ...orphans
      .filter(({ unit }) => !held.has(unit))
      .map((before): RecordChange => ({ kind: "versions", name: before.unit, before })),
  ];
}
