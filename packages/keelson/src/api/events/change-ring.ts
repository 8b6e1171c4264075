// The latest changes, so that a reader who was away goes on where it was. Bounded: who was away for longer
// starts afresh from a snapshot.
import type { ChangeEvent } from "../wire/snapshot.ts";

interface Entry {
  /** The revision that this change leads away from. */
  readonly from: number;
  readonly change: ChangeEvent;
}

export class ChangeRing {
  readonly #most: number;
  #entries: Entry[] = [];
  /** From here on every change is held. */
  #since: number;
  #revision: number;

  constructor(revision: number, most = 512) {
    this.#since = revision;
    this.#revision = revision;
    this.#most = most;
  }

  /** The revision that the last change leads to, or later when nothing changed since. */
  get revision(): number {
    return this.#revision;
  }

  /** Takes a change that follows on the revision before; none when nothing that is shown changed. */
  push(revision: number, change: ChangeEvent | undefined): void {
    if (change) this.#entries.push({ from: this.#revision, change });
    this.#revision = revision;
    while (this.#entries.length > this.#most)
      this.#since = this.#entries.shift()?.change.revision ?? revision;
  }

  /** Starts over: the store was read afresh, or went back. */
  reset(revision: number): void {
    this.#entries = [];
    this.#since = revision;
    this.#revision = revision;
  }

  /** The changes after a revision; undefined when they are not all held, or the revision is of another time. */
  after(revision: number): readonly ChangeEvent[] | undefined {
    if (revision < this.#since || revision > this.#revision) return undefined;
    return this.#entries.filter(({ change }) => change.revision > revision).map(({ change }) => change);
  }
}
