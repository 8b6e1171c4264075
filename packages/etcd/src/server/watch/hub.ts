// Tells watchers what happened. Watchers that want the same form a group: their events are encoded once. After a
// batch of changes was carried out the hub goes over what they added to the history. A watcher that is behind
// gets nothing from it; it reads the history itself until it has caught up.

import { firstAfter } from "../../keyspace/compaction.ts";
import type { Keyspace } from "../../keyspace/keyspace.ts";
import type { KeyRange } from "../../keyspace/requests.ts";
import type { Version } from "../../keyspace/version.ts";
import { eventField, passes, type WatchFilter } from "./events.ts";
import { IntervalIndex } from "./interval-index.ts";

/** Who wants to be told. */
export interface Watcher {
  readonly range: KeyRange;
  readonly filter: WatchFilter;
  /** First revision that it has not been told about. */
  nextRevision: number;
  /** Has been told of everything. One that is not gets nothing here. */
  isCurrent: boolean;
  deliver(batch: EventBatch): void;
}

/** Events of consecutive revisions for one group. */
export class EventBatch {
  readonly versions: readonly Version[];
  /** Revision up to which these are all events. */
  readonly revision: number;
  readonly #filter: WatchFilter;
  readonly #compactRevision: number;
  #encoded: string | undefined;

  constructor(
    versions: readonly Version[],
    filter: WatchFilter,
    { revision, compactRevision }: { readonly revision: number; readonly compactRevision: number },
  ) {
    this.versions = versions;
    this.revision = revision;
    this.#filter = filter;
    this.#compactRevision = compactRevision;
  }

  /** All events as fields of a WatchResponse. */
  get encoded(): string {
    this.#encoded ??= this.fields().join("");
    return this.#encoded;
  }

  /** Each event as a field of a WatchResponse. */
  fields(): string[] {
    return this.versions.map((version) => eventField(version, this.#filter.prevKv, this.#compactRevision));
  }

  /** Only the events from a revision on. */
  from(revision: number): EventBatch {
    if ((this.versions[0]?.main ?? revision) >= revision) return this;
    const versions = this.versions.slice(firstAfter(this.versions, revision - 1));
    return new EventBatch(versions, this.#filter, {
      revision: this.revision,
      compactRevision: this.#compactRevision,
    });
  }
}

interface Group {
  readonly key: string;
  readonly start: string;
  readonly end: string | undefined;
  readonly point: boolean;
  readonly filter: WatchFilter;
  readonly members: Set<Watcher>;
  pending: Version[];
}

export class WatchHub {
  readonly #keyspace: Keyspace;
  readonly #groups = new Map<string, Group>();
  readonly #points = new Map<string, Set<Group>>();
  readonly #intervals = new IntervalIndex<Group>();
  #toldRevision: number;
  #isScheduled = false;
  #events = 0;

  constructor(keyspace: Keyspace) {
    this.#keyspace = keyspace;
    this.#toldRevision = keyspace.revision;
  }

  get keyspace(): Keyspace {
    return this.#keyspace;
  }

  /** Watchers there are, and events that they were told since the start. */
  get counts(): { readonly watchers: number; readonly events: number } {
    let watchers = 0;
    for (const { members } of this.#groups.values()) watchers += members.size;
    return { watchers, events: this.#events };
  }

  /** A watcher was told so many events. */
  told(events: number): void {
    this.#events += events;
  }

  /** Watchers that have not been told everything, and how many revisions they are behind, all together. */
  behind(): { readonly watchers: number; readonly revisions: number } {
    const next = this.#keyspace.revision + 1;
    let watchers = 0;
    let revisions = 0;
    for (const { members } of this.#groups.values()) {
      for (const { isCurrent, nextRevision } of members) {
        if (isCurrent) continue;
        watchers++;
        revisions += Math.max(0, next - nextRevision);
      }
    }
    return { watchers, revisions };
  }

  add(watcher: Watcher): void {
    // What has been carried out and not told yet happened before this watcher.
    this.flush();
    const key = groupKey(watcher);
    let group = this.#groups.get(key);
    if (group === undefined) {
      const { range, filter } = watcher;
      group = { key, ...range, filter, members: new Set(), pending: [] };
      this.#groups.set(key, group);
      this.#index(group);
    }
    group.members.add(watcher);
  }

  remove(watcher: Watcher): void {
    const group = this.#groups.get(groupKey(watcher));
    if (group === undefined || !group.members.delete(watcher) || group.members.size > 0) return;
    this.#groups.delete(group.key);
    if (!group.point) return this.#intervals.remove(group);
    const groups = this.#points.get(group.start);
    groups?.delete(group);
    if (groups?.size === 0) this.#points.delete(group.start);
  }

  /** Something was carried out: its events are told when the whole batch is. */
  changed(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  /** Tells everything that has happened. */
  flush(): void {
    const { revision, compactRevision } = this.#keyspace;
    if (revision === this.#toldRevision) return;
    const touched = this.#collect(this.#toldRevision + 1);
    this.#toldRevision = revision;
    for (const group of touched) {
      const batch = new EventBatch(group.pending, group.filter, { revision, compactRevision });
      group.pending = [];
      for (const watcher of group.members) if (watcher.isCurrent) watcher.deliver(batch);
    }
  }

  #collect(from: number): ReadonlySet<Group> {
    const touched = new Set<Group>();
    if (this.#groups.size === 0) return touched;
    const { history } = this.#keyspace;
    for (let place = this.#keyspace.placeOf(from); place < history.length; place++) {
      const version = history[place] as Version;
      const add = (group: Group): void => {
        if (!passes(version, group.filter)) return;
        group.pending.push(version);
        touched.add(group);
      };
      this.#points.get(version.key)?.forEach(add);
      this.#intervals.at(version.key, add);
    }
    return touched;
  }

  #index(group: Group): void {
    if (!group.point) return this.#intervals.add(group);
    const groups = this.#points.get(group.start);
    if (groups === undefined) this.#points.set(group.start, new Set([group]));
    else groups.add(group);
  }
}

function groupKey({ range, filter }: Watcher): string {
  const flags = `${Number(filter.prevKv)}${Number(filter.noPut)}${Number(filter.noDelete)}`;
  const end = range.point ? "=" : range.end === undefined ? "*" : `<${range.end}`;
  return `${flags}${range.start.length},${range.start}${end}`;
}
