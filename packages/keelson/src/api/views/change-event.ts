// What differs between two views of the cluster.
import type { ChangeEvent, SnapshotView } from "../wire/snapshot.ts";

/** The change from one view to a later one of the same projection; undefined when they show the same. */
export function changeBetween(before: SnapshotView, after: SnapshotView): ChangeEvent | undefined {
  const machines = difference(before.machines, after.machines, ({ id }) => id);
  const units = difference(before.units, after.units, ({ name }) => name);
  const instances = difference(before.instances, after.instances, ({ key }) => key);
  const removed = {
    ...(machines.removed.length === 0 ? {} : { machines: machines.removed }),
    ...(units.removed.length === 0 ? {} : { units: units.removed }),
    ...(instances.removed.length === 0 ? {} : { instances: instances.removed }),
  };
  const parts = {
    ...(machines.changed.length === 0 ? {} : { machines: machines.changed }),
    ...(units.changed.length === 0 ? {} : { units: units.changed }),
    ...(instances.changed.length === 0 ? {} : { instances: instances.changed }),
    ...(Object.keys(removed).length === 0 ? {} : { removed }),
    ...(sameJson(before.leader, after.leader) ? {} : { leader: after.leader }),
    ...(sameJson(before.alarms, after.alarms) ? {} : { alarms: after.alarms }),
    ...(sameItems(before.operations, after.operations) ? {} : { operations: after.operations }),
  };
  return Object.keys(parts).length === 0 ? undefined : { revision: after.revision, at: after.at, ...parts };
}

function difference<T>(
  before: readonly T[],
  after: readonly T[],
  keyOf: (item: T) => string,
): { changed: T[]; removed: string[] } {
  const known = new Map(before.map((item) => [keyOf(item), item]));
  const changed = after.filter((item) => known.get(keyOf(item)) !== item);
  const left = new Set(after.map(keyOf));
  return { changed, removed: [...known.keys()].filter((key) => !left.has(key)) };
}

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const sameItems = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i]);
