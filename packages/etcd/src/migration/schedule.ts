// What happens at each revision up to the compacted one: which states that are kept, which writes that only give
// a key its creation or count up its version, and how many more that must leave no trace. See plan.ts.

import { EtcdError } from "../errors.ts";
import type { SourceHistory, SourceVersion } from "./history.ts";
import { JobQueue, type Job } from "./jobs.ts";

export interface ScheduledRevision {
  readonly revision: number;
  /** States that are kept, by their place; a hole is free for any other change. */
  readonly kept: readonly SourceVersion[];
  /** Keys that come to exist here. */
  readonly creations: readonly string[];
  /** Keys that are written here for their count's sake, or to be deleted at the compacted revision. */
  readonly counted: readonly string[];
  /** Further changes that the revision needs. */
  readonly missing: number;
}

/** Most writes for the count's sake at one revision, unless they can wait no longer. */
const MOST_COUNTED = 64;

/** Goes through the revisions from 2 to the compacted one. Throws MIGRATION_REFUSED for what no store can have. */
export function* schedule(history: SourceHistory): Generator<ScheduledRevision, void, void> {
  const last = history.compactRevision;
  const old = history.versions.filter(({ main }) => main <= last);
  const kept = groupBy(old, ({ main }) => main);
  const dated = old.filter(({ version }) => version > 0);
  for (const version of dated) check(version);
  const creations = groupBy(
    dated.filter(({ version }) => version > 1),
    ({ create }) => create,
  );
  const doomed = old.filter(({ version }) => version === 0).map(({ key }) => key);
  const queue = new JobQueue();
  let owed = 0;
  const start = (job: Job): void => {
    if (job.remaining > 0) queue.add(job);
    owed += job.remaining;
  };
  for (const key of doomed) start({ key, latestStart: last - 1, remaining: 1 });
  for (let revision = 2; revision <= last; revision++) {
    const here = kept.get(revision) ?? [];
    const created = creations.get(revision) ?? [];
    const places = here.length === 0 ? 0 : (here.at(-1)?.sub ?? 0) + 1;
    const free = Math.max(places - here.length, here.length === 0 ? 1 : 0) - created.length;
    const counted: string[] = [];
    const again: Job[] = [];
    const fair = Math.min(MOST_COUNTED, Math.ceil(owed / Math.max(1, last - revision)));
    for (let job = queue.first; job !== undefined && revision < last; job = queue.first) {
      const isUrgent = job.latestStart <= revision;
      if (!isUrgent && counted.length >= Math.max(free, fair)) break;
      queue.take();
      owed--;
      counted.push(job.key);
      job.latestStart++;
      if (--job.remaining > 0) again.push(job);
    }
    for (const job of again) queue.add(job);
    let missing = Math.max(0, free - counted.length);
    for (const key of missing > 0 && revision < last ? doomed : []) {
      if (missing === 0) break;
      if (counted.includes(key)) continue;
      counted.push(key);
      missing--;
    }
    yield { revision, kept: here, creations: created.map(({ key }) => key), counted, missing };
    for (const { key, main, version } of created) {
      start({ key, latestStart: main - (version - 2), remaining: version - 2 });
    }
  }
  if (queue.first !== undefined) {
    throw new EtcdError("MIGRATION_REFUSED", `the source has a history that no store can have`);
  }
}

function check({ key, main, create, version }: SourceVersion): void {
  const possible = create >= 2 && version <= main - create + 1 && (version > 1 || create === main);
  if (possible) return;
  throw new EtcdError(
    "MIGRATION_REFUSED",
    `the source says of the key ${JSON.stringify(key)} that it was created at revision ${create} and has version ${version} at revision ${main}, which no history can make`,
  );
}

function groupBy<T>(items: readonly T[], of: (item: T) => number): ReadonlyMap<number, readonly T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(of(item));
    if (group === undefined) groups.set(of(item), [item]);
    else group.push(item);
  }
  return groups;
}
