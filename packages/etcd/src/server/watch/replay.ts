import type { Keyspace } from "../../keyspace/keyspace.ts";
import type { KeyRange } from "../../keyspace/requests.ts";
import type { Version } from "../../keyspace/version.ts";
import { passes, type WatchFilter } from "./events.ts";

/**
 * Most revisions in one answer to a watcher that catches up, as with etcd; and about as many bytes, which etcd does
 * not bound. Its clients expect to be told of ten values of a mebibyte at once.
 */
const MOST_REVISIONS = 1000;
const MOST_BYTES = 16 << 20;
/** Versions that are looked at for one answer. */
const MOST_SCANNED = 20_000;

export interface Replayed {
  readonly versions: readonly Version[];
  /** Revision to go on from. Above the current one when there is nothing more. */
  readonly next: number;
  /** How many versions were looked at. */
  readonly scanned: number;
}

interface Replay {
  readonly range: KeyRange;
  readonly filter: WatchFilter;
  readonly nextRevision: number;
}

/** What a watcher wants to hear of the next revisions, whole ones. */
export function replay(keyspace: Keyspace, watcher: Replay): Replayed {
  return watcher.range.point ? replayKey(keyspace, watcher) : replayRange(keyspace, watcher);
}

/** One key's own history is found without looking at others'. */
function replayKey(keyspace: Keyspace, { range, filter, nextRevision }: Replay): Replayed {
  const chain: Version[] = [];
  for (let version = keyspace.newest(range.start); version !== undefined; version = version.previous) {
    if (version.main < nextRevision) break;
    chain.push(version);
  }
  const answer = new Answer(filter);
  for (const version of chain.reverse())
    if (!answer.add(version)) return answer.until(version.main, chain.length);
  return answer.until(keyspace.revision + 1, chain.length);
}

function replayRange(keyspace: Keyspace, { range, filter, nextRevision }: Replay): Replayed {
  const { history } = keyspace;
  const { start, end } = range;
  const answer = new Answer(filter);
  const first = keyspace.placeOf(nextRevision);
  for (let place = first; place < history.length; place++) {
    const version = history[place] as Version;
    const scanned = place - first;
    if (scanned > MOST_SCANNED && version.main !== history[place - 1]?.main) {
      return answer.until(version.main, scanned);
    }
    if (version.key < start || (end !== undefined && version.key >= end)) continue;
    if (!answer.add(version)) return answer.until(version.main, scanned);
  }
  return answer.until(keyspace.revision + 1, history.length - first);
}

class Answer {
  readonly #filter: WatchFilter;
  readonly #versions: Version[] = [];
  #revisions = 0;
  #bytes = 0;
  #last = 0;

  constructor(filter: WatchFilter) {
    this.#filter = filter;
  }

  /** False if the answer is full; a revision is never split. */
  add(version: Version): boolean {
    if (!passes(version, this.#filter)) return true;
    if (version.main !== this.#last) {
      if (this.#revisions === MOST_REVISIONS || this.#bytes > MOST_BYTES) return false;
      this.#revisions++;
      this.#last = version.main;
    }
    this.#bytes += version.length;
    this.#versions.push(version);
    return true;
  }

  until(next: number, scanned: number): Replayed {
    return { versions: this.#versions, next, scanned };
  }
}
