// HashKV: a checksum over all kept versions of all keys, the same number as a real etcd with the same history has
// (server/storage/mvcc/hash.go of etcd 3.5.16).

import type { Crc32c } from "../../disk/crc32c.ts";
import { firstAfter, survives, type CompactionVisitor } from "../../keyspace/compaction.ts";
import type { Keyspace } from "../../keyspace/keyspace.ts";
import type { Version } from "../../keyspace/version.ts";
import { EtcdError } from "../../errors.ts";
import { MOST_KEY_BYTES, recordOf, writeRevisionKey } from "./records.ts";

export interface HistoryHash {
  readonly hash: number;
  /** Revision with which the history that was counted begins; -1 before the first compaction. */
  readonly compactRevision: number;
}

/** Versions between two pauses. */
const STEP = 1000;
/** Compactions whose sum is remembered. */
const MOST_REMEMBERED = 10;
const OPENING = Buffer.from("key");

/** Sums versions up. */
class Sum {
  readonly #crc: Crc32c;
  #buffer = Buffer.allocUnsafe(1 << 16);
  #length = 0;
  #sum: number;

  constructor(crc: Crc32c) {
    this.#crc = crc;
    this.#sum = crc.of(OPENING);
  }

  add(version: Version): void {
    const record = version.isTombstone ? recordOf(version) : undefined;
    const length = MOST_KEY_BYTES + (record?.length ?? version.length);
    if (this.#length + length > this.#buffer.length) this.#flush();
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(length * 2);
    const at = writeRevisionKey(this.#buffer, this.#length, version);
    this.#length =
      record === undefined ? version.copyTo(this.#buffer, at) : at + this.#buffer.write(record, at, "latin1");
  }

  get value(): number {
    this.#flush();
    return this.#sum;
  }

  #flush(): void {
    this.#sum = this.#crc.of(this.#buffer, 0, this.#length, this.#sum);
    this.#length = 0;
  }
}

/**
 * Sums a history up to a revision: all of it behind the compaction `before`, and of what that has left what is kept
 * at the revision; all of it where nothing is. Tombstones of the compacted revision never count: before etcd 3.5.16
 * a compaction did not leave them.
 */
class HistorySum implements CompactionVisitor {
  readonly #before: number;
  readonly #sum: Sum;
  #whole: Sum | undefined;

  constructor(crc: Crc32c, before: number) {
    this.#before = before;
    this.#sum = new Sum(crc);
    this.#whole = new Sum(crc);
  }

  visit(version: Version, isKept: boolean): void {
    if (isKept) this.#whole = undefined;
    if (version.isTombstone && version.main === this.#before) return;
    this.#whole?.add(version);
    if (isKept || version.main > this.#before) this.#sum.add(version);
  }

  get value(): number {
    return (this.#whole ?? this.#sum).value;
  }
}

export class HistoryHasher {
  readonly #keyspace: Keyspace;
  readonly #crc: Crc32c;
  readonly #remembered = new Map<number, HistoryHash>();
  /** One at a time, so that many who ask do not take the time of those who work. */
  #running: Promise<unknown> = Promise.resolve();
  #last: { readonly key: string; readonly hash: Promise<HistoryHash> } | undefined;

  constructor(keyspace: Keyspace, crc: Crc32c) {
    this.#keyspace = keyspace;
    this.#crc = crc;
  }

  /**
   * Sums up what the compaction to `revision` goes through, from the one before it on; `compacted` is to be called
   * when it is done. etcd remembers these sums and answers with them: they cannot be had later.
   */
  compaction(revision: number, before: number): CompactionVisitor & { readonly compacted: () => void } {
    const sum = new HistorySum(this.#crc, before);
    return {
      visit: (version, isKept) => sum.visit(version, isKept),
      compacted: () => {
        this.#remembered.set(revision, { hash: sum.value, compactRevision: before });
        const [oldest] = this.#remembered.keys();
        if (this.#remembered.size > MOST_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
      },
    };
  }

  /** The sum up to a revision, 0 for the current one. Throws COMPACTED or FUTURE_REVISION. */
  async at(asked: number): Promise<HistoryHash> {
    const known = this.#remembered.get(asked);
    if (known !== undefined) return known;
    const { revision, compactRevision, history } = this.#keyspace;
    if (asked > 0 && asked < compactRevision) throw EtcdError.refusal("COMPACTED");
    if (asked > revision) throw EtcdError.refusal("FUTURE_REVISION");
    const until = asked === 0 ? revision : asked;
    const key = `${until} ${compactRevision}`;
    if (this.#last?.key === key) return this.#last.hash;
    const hash = this.#running.then(() => this.#sum(history, until, compactRevision));
    this.#running = hash;
    this.#last = { key, hash };
    return hash;
  }

  async #sum(history: readonly Version[], revision: number, compactRevision: number): Promise<HistoryHash> {
    const sum = new HistorySum(this.#crc, compactRevision);
    const end = firstAfter(history, revision);
    for (let place = 0; place < end; place++) {
      const version = history[place] as Version;
      sum.visit(version, survives(version, revision) && !version.isTombstone);
      if (place % STEP === STEP - 1) await new Promise((resolve) => setImmediate(resolve));
    }
    return { hash: sum.value, compactRevision };
  }
}
