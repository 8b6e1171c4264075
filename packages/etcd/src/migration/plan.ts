// How an empty store comes to the same history as another: each revision of the source becomes one transaction of
// the target, with the same changes in the same places. Pure.
//
// Of the revisions up to the compacted one the source has kept only the newest state of each key. They are made up:
// a key is created at its creation's revision and written as often as its version says before its kept state is
// written; what else a revision needs, to come about at all or for a kept state to stand in its place, are writes
// of scratch keys. The last of those revisions deletes the scratch keys, before the compacted revision, so that
// the compaction of the target takes their deletions along. See docs/protocols/migration.md.

import { EtcdError } from "../errors.ts";
import type { ReplayedChange, ReplayedRevision, SourceHistory, SourceVersion } from "./history.ts";
import { schedule, type ScheduledRevision } from "./schedule.ts";

/**
 * The revisions from 2 to the source's current one, in order. The target must be compacted to the source's
 * compacted revision after them. The history must be free of what was compacted. Throws MIGRATION_REFUSED if the
 * history cannot be made again.
 */
export function* plan(history: SourceHistory): Generator<ReplayedRevision, void, void> {
  const begin = Math.max(1, history.compactRevision);
  if (begin > 1) yield* madeUp(history);
  yield* complete(history, begin);
}

/** The revisions after the compacted one, of which the source knows everything. */
function* complete(history: SourceHistory, begin: number): Generator<ReplayedRevision, void, void> {
  const { versions, revision: last } = history;
  let place = versions.findIndex(({ main }) => main > begin);
  if (place < 0) place = versions.length;
  for (let revision = begin + 1; revision <= last; revision++) {
    const changes: ReplayedChange[] = [];
    for (let version = versions[place]; version?.main === revision; version = versions[++place]) {
      if (version.sub !== changes.length) throw incomplete(revision);
      changes.push(changeOf(version));
    }
    if (changes.length === 0) throw incomplete(revision);
    yield { revision, changes, ordered: true };
  }
  if (place !== versions.length) throw incomplete(last + 1);
}

/** How the scratch keys come and go: which revisions write them, and which one takes them all away. */
interface ScratchUse {
  /** Revision that deletes the scratch keys; 0 if none are needed. */
  readonly end: number;
  /** Further scratch keys that are to be written one revision before the end, so that it has enough to delete. */
  readonly primed: number;
  /** The end writes its scratch keys, and the revision after it deletes them. */
  readonly late: boolean;
}

function* madeUp(history: SourceHistory): Generator<ReplayedRevision, void, void> {
  const prefix = scratchPrefix(history.versions);
  const use = scratchUse(history);
  const last = use.late ? use.end + 1 : use.end;
  let live = 0;
  for (const step of schedule(history)) {
    const { revision, missing } = step;
    const fill: ReplayedChange[] = [];
    const extra: ReplayedChange[] = [];
    const scratch = (place: number): string => prefix + place;
    if (revision !== last || use.late) {
      for (let place = 0; place < missing; place++) fill.push(count(scratch(place)));
      const primed = revision === use.end - 1 ? use.primed : 0;
      for (let place = missing; place < primed; place++) extra.push(count(scratch(place)));
      live = Math.max(live, missing, primed);
    }
    if (revision === last) {
      for (let place = 0; place < live; place++) {
        const gone: ReplayedChange = { kind: "delete", key: scratch(place), rangeEnd: "" };
        (place < missing && !use.late ? fill : extra).push(gone);
      }
    }
    const ordered = step.kept.length + step.creations.length + extra.length > 0 || revision === last;
    yield { revision, changes: arrange(step, fill, extra), ordered };
  }
}

function scratchUse(history: SourceHistory): ScratchUse {
  const compacted = history.compactRevision;
  let end = 0;
  let missingAtEnd = 0;
  let most = 0;
  for (const { revision, kept, missing } of schedule(history)) {
    if (revision === compacted && (missing > 0 || kept.length === 0)) throw incomplete(compacted);
    if (missing === 0) continue;
    if (end > 0) most = Math.max(most, missingAtEnd);
    end = revision;
    missingAtEnd = missing;
  }
  if (end === 2) {
    if (end + 1 >= compacted) throw incomplete(end);
    return { end, primed: 0, late: true };
  }
  return { end, primed: missingAtEnd > most ? missingAtEnd : 0, late: false };
}

/** Puts each kept state in its place; what may stand anywhere fills the places between and follows. */
function arrange(
  { kept, creations, counted }: ScheduledRevision,
  fill: readonly ReplayedChange[],
  extra: readonly ReplayedChange[],
): readonly ReplayedChange[] {
  const anywhere = [...creations.map(count), ...counted.map(count), ...fill, ...extra];
  const changes: ReplayedChange[] = [];
  let taken = 0;
  for (const version of kept) {
    while (changes.length < version.sub) changes.push(anywhere[taken++] as ReplayedChange);
    changes.push(changeOf(version));
  }
  return [...changes, ...anywhere.slice(taken)];
}

/** A write whose value nobody will ever read. */
function count(key: string): ReplayedChange {
  return { kind: "put", key, value: "", lease: 0n };
}

function changeOf({ key, value, lease, version }: SourceVersion): ReplayedChange {
  return version === 0 ? { kind: "delete", key, rangeEnd: "" } : { kind: "put", key, value, lease };
}

/** A beginning that no key of the source has. */
function scratchPrefix(versions: readonly SourceVersion[]): string {
  let prefix = "\0keelson-migration/";
  while (versions.some(({ key }) => key.startsWith(prefix))) prefix += "/";
  return prefix;
}

function incomplete(revision: number): EtcdError {
  return new EtcdError(
    "MIGRATION_REFUSED",
    `the source no longer knows what revision ${revision} changed; compact the source at its current revision after any write, then try again`,
  );
}
