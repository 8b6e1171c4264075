import type { Slabs } from "./slabs.ts";
import type { Version } from "./version.ts";

/** Place of the first version whose revision is above `revision`. */
export function firstAfter(history: readonly Version[], revision: number): number {
  let low = 0;
  let high = history.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((history[middle] as Version).main <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Whether a version at or before a compacted revision stays: the newest of its key, unless it is a tombstone of an
 * earlier revision. Since etcd 3.5.16 a tombstone of exactly that revision stays.
 */
export function survives(version: Version, revision: number): boolean {
  const isNewest = version.supersededBy === 0 || version.supersededBy > revision;
  return isNewest && (!version.isTombstone || version.main === revision);
}

/** Sees every version that a compaction goes through, in order. */
export interface CompactionVisitor {
  visit(version: Version, isKept: boolean): void;
}

/**
 * Goes through the history up to a compacted revision and drops what no read at or after that revision can
 * see, a part at a time. Then what was kept is gone through once more: it leaves slabs that hold little else.
 */
export class CompactionSweep {
  readonly revision: number;
  readonly #history: readonly Version[];
  readonly #slabs: Slabs;
  readonly #end: number;
  readonly #kept: Version[] = [];
  #place = 0;
  #settled = 0;

  constructor(history: readonly Version[], revision: number, slabs: Slabs) {
    this.#history = history;
    this.revision = revision;
    this.#slabs = slabs;
    this.#end = firstAfter(history, revision);
  }

  get done(): boolean {
    return this.#place === this.#end && this.#settled === this.#kept.length;
  }

  /** Looks at up to `most` versions and returns those that go. */
  step(most: number, visitor?: CompactionVisitor): readonly Version[] {
    const dropped: Version[] = [];
    if (this.#place === this.#end) this.#settle(most);
    const until = Math.min(this.#end, this.#place + most);
    for (; this.#place < until; this.#place++) {
      const version = this.#history[this.#place] as Version;
      // Nothing that is kept may hold on to what is dropped.
      version.previous = undefined;
      const isKept = survives(version, this.revision);
      visitor?.visit(version, isKept);
      if (isKept) this.#kept.push(version);
      else {
        version.drop();
        dropped.push(version);
      }
    }
    return dropped;
  }

  /** The history without what was dropped, with what has been added meanwhile. */
  finish(history: readonly Version[]): Version[] {
    return this.#kept.concat(history.slice(this.#end));
  }

  #settle(most: number): void {
    const until = Math.min(this.#kept.length, this.#settled + most);
    for (; this.#settled < until; this.#settled++) this.#kept[this.#settled]?.settle(this.#slabs);
  }
}
