import type { Change, Cluster } from "./records.ts";

/** The cluster after a change. What did not change stays the same object, so that its row is not drawn anew. */
export function applyChange(cluster: Cluster, change: Change): Cluster {
  const { removed } = change;
  return {
    ...cluster,
    revision: change.revision,
    at: change.at,
    machines: merged(cluster.machines, change.machines, removed.machines, ({ id }) => id),
    units: merged(cluster.units, change.units, removed.units, ({ name }) => name),
    instances: merged(cluster.instances, change.instances, removed.instances, ({ key }) => key),
    leader: change.leader === undefined ? cluster.leader : change.leader,
    alarms: change.alarms ?? cluster.alarms,
    operations: change.operations ?? cluster.operations,
  };
}

function merged<T extends { readonly name: string }>(
  before: readonly T[],
  changed: readonly T[] | undefined,
  removed: readonly string[],
  keyOf: (item: T) => string,
): readonly T[] {
  if (changed === undefined && removed.length === 0) return before;
  const items = new Map(before.map((item) => [keyOf(item), item]));
  for (const key of removed) items.delete(key);
  for (const item of changed ?? []) items.set(keyOf(item), item);
  return [...items.values()].sort(
    (a, b) => collator.compare(a.name, b.name) || collator.compare(keyOf(a), keyOf(b)),
  );
}

const collator = new Intl.Collator("en", { numeric: true });
