// Drops history by itself, as etcd's v3compactor does: what is older than a time, or all but a number of revisions.

import type { EtcdError } from "../errors.ts";
import { compactCommand } from "./commands.ts";
import type { AutoCompactionOptions, LogFunction, MonotonicClock } from "./options.ts";
import type { Store } from "./store.ts";

const HOUR_MS = 3_600_000;
const REVISION_BEAT_MS = 5 * 60_000;
/** A period is watched in so many steps. */
const STEPS = 10;

/** Says at each beat up to which revision history can go. */
export interface CompactionRule {
  readonly beatMs: number;
  /** The revision to compact at now, if any. */
  due(now: number): number | undefined;
  /** That compaction was done. */
  done(revision: number, now: number): void;
  /** The beat is over. */
  beaten(): void;
}

/**
 * Keeps the history of a period: after the first period, and then each period but at least hourly, compacts at the
 * revision that was current one period ago.
 */
export class PeriodicRule implements CompactionRule {
  readonly beatMs: number;
  readonly #revision: () => number;
  readonly #interval: number;
  readonly #kept: number;
  readonly #revisions: number[];
  #wait: number;
  #lastDone: number;

  constructor(
    periodMs: number,
    { revision, now }: { readonly revision: () => number; readonly now: number },
  ) {
    this.#interval = Math.min(periodMs, HOUR_MS);
    this.beatMs = this.#interval / STEPS;
    this.#kept = Math.floor(periodMs / this.beatMs) + 1;
    this.#revision = revision;
    this.#revisions = [revision()];
    this.#wait = periodMs;
    this.#lastDone = now;
  }

  due(now: number): number | undefined {
    if (now - this.#lastDone < this.#wait) return undefined;
    this.#wait = this.#interval;
    return this.#revisions[0];
  }

  done(_revision: number, now: number): void {
    this.#lastDone = now;
  }

  beaten(): void {
    this.#revisions.push(this.#revision());
    if (this.#revisions.length > this.#kept) this.#revisions.shift();
  }
}

/** Keeps a number of revisions; looks every five minutes. */
export class RevisionRule implements CompactionRule {
  readonly beatMs = REVISION_BEAT_MS;
  readonly #keep: number;
  readonly #revision: () => number;
  #last = 0;

  constructor(keep: number, revision: () => number) {
    this.#keep = keep;
    this.#revision = revision;
  }

  due(): number | undefined {
    const revision = this.#revision() - this.#keep;
    return revision <= 0 || revision === this.#last ? undefined : revision;
  }

  done(revision: number): void {
    this.#last = revision;
  }

  beaten(): void {}
}

export interface AutoCompactionParts {
  readonly store: Store;
  readonly clock: MonotonicClock;
  readonly log: LogFunction;
}

/** Follows a rule until it is disposed. */
export class AutoCompaction implements Disposable {
  readonly #rule: CompactionRule;
  readonly #parts: AutoCompactionParts;
  readonly #timer: NodeJS.Timeout;
  #isCompacting = false;

  constructor(options: AutoCompactionOptions, parts: AutoCompactionParts) {
    const revision = (): number => parts.store.keyspace.revision;
    this.#rule =
      options.mode === "revision"
        ? new RevisionRule(options.keepRevisions, revision)
        : new PeriodicRule(options.periodMs, { revision, now: parts.clock.now() });
    this.#parts = parts;
    this.#timer = setInterval(() => void this.beat(), this.#rule.beatMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Compacts if it is time. The timer calls it. */
  async beat(): Promise<void> {
    if (this.#isCompacting) return;
    this.#isCompacting = true;
    const revision = this.#rule.due(this.#parts.clock.now());
    if (revision !== undefined) await this.#compact(revision);
    this.#rule.beaten();
    this.#isCompacting = false;
  }

  async #compact(revision: number): Promise<void> {
    const { store, clock, log } = this.#parts;
    if (revision <= store.keyspace.compactRevision) return this.#rule.done(revision, clock.now());
    log("info", "starting auto compaction", { revision });
    const began = clock.now();
    try {
      await store.propose(compactCommand(revision));
    } catch (error) {
      if ((error as EtcdError).code !== "COMPACTED") {
        return log("warn", "failed auto compaction", { revision, error: (error as Error).message });
      }
    }
    this.#rule.done(revision, clock.now());
    log("info", "completed auto compaction", { revision, milliseconds: clock.now() - began });
  }
}
