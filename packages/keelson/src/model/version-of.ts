// Which version of its unit's file an instance is to have: while a rollout is not over, not all have the same.
import type { ClusterSnapshot } from "./cluster.ts";
import type { Rollout, RolloutState, UnitVersion } from "./rollout.ts";
import type { Unit } from "./unit.ts";
import { templateName } from "./unit-name.ts";

/** The hash of the file of an instance; of a global unit's instance on this machine. */
export type VersionReader = (instance: string, machine?: string) => string;

/** How an instance is named in a rollout. */
export const rolloutKey = (instance: string, machine: string | undefined): string =>
  machine === undefined ? instance : `${instance}@${machine}`;

/** Whether instances of the unit may have different versions: the rollout is under way, or stands where it was stopped. */
export const isOpen = (state: RolloutState): boolean => state !== "done" && state !== "reverted";

/** The unit's rollout that is not over. */
export function openRollout(
  unit: Unit,
  { rollouts }: Pick<ClusterSnapshot, "rollouts">,
): Rollout | undefined {
  const rollout = rollouts.get(unit.name);
  return rollout !== undefined && isOpen(rollout.state) ? rollout : undefined;
}

/** For many instances of one unit. */
export function versionsOf(unit: Unit, snapshot: Pick<ClusterSnapshot, "rollouts">): VersionReader {
  const rollout = openRollout(unit, snapshot);
  return rollout === undefined ? () => unit.hash : versionsIn(rollout);
}

export function versionsIn({ from, to, updated, others = {} }: Rollout): VersionReader {
  const isUpdated = new Set(updated);
  return (instance, machine) => {
    const key = rolloutKey(instance, machine);
    if (isUpdated.has(key) || isUpdated.has(instance)) return to;
    return others[key] ?? others[instance] ?? from;
  };
}

/** The hash of the file that this instance is to have. */
export function versionOf(
  unit: Unit,
  instance: { readonly name: string; readonly machine?: string | undefined },
  snapshot: Pick<ClusterSnapshot, "rollouts">,
): string {
  return versionsOf(unit, snapshot)(instance.name, instance.machine);
}

/** The record of an instance: its own, or its template's. */
export const unitOfInstance = (
  instance: string,
  { units }: Pick<ClusterSnapshot, "units">,
): Unit | undefined => units.get(instance) ?? units.get(templateName(instance) ?? "");

/** All versions of a unit, the newest last. One that was never replaced has one. */
export function versionList(
  unit: Unit,
  { versions, operations }: Pick<ClusterSnapshot, "versions" | "operations">,
): readonly UnitVersion[] {
  const known = versions.get(unit.name)?.versions;
  if (known !== undefined) return known;
  const origin = [...operations.values()].find(({ changes }) =>
    changes.some((change) => change.unit === unit.name && change.after?.created === unit.created),
  );
  const { hash, owner, created } = unit;
  return [{ number: 1, hash, operation: origin?.id ?? "", who: origin?.who ?? owner, at: created }];
}

/** The number of the version with this content, the latest if it came twice; 0 when it is forgotten. */
export const numberOf = (hash: string, versions: readonly UnitVersion[]): number =>
  versions.findLast((version) => version.hash === hash)?.number ?? 0;
