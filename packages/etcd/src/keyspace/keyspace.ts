// The keys with their whole history since the last compaction, in memory: multi-version concurrency control as
// etcd's mvcc package has it. Pure: no clock, no I/O, no randomness; the same calls give the same state.
// Invariants: `history` holds every kept version in the order of (main, sub); each key's newest version heads
// a chain to its older ones; `revision` grows by one for each transaction that changed something.

import { EtcdError } from "../errors.ts";
import { CompactionSweep, firstAfter, type CompactionVisitor } from "./compaction.ts";
import { LeaseTable } from "./leases.ts";
import { OrderedKeys, type KeyEntry } from "./ordered-keys.ts";
import type { KeyRange } from "./requests.ts";
import { Slabs } from "./slabs.ts";
import { Version, writeEncoded, writeKeyValue, writeTombstone, type VersionFields } from "./version.ts";

/** Bytes that a version costs besides its encoded message, for the estimate of {@link Keyspace.bytes}. */
const VERSION_OVERHEAD = 64;

export interface Scan {
  readonly versions: Version[];
  /** Live keys in the range, whatever the limit. */
  readonly count: number;
}

/** Operations carried out, since {@link Keyspace.forgetCounts}. */
export interface OperationCounts {
  ranges: number;
  puts: number;
  deletes: number;
  /** Transactions of more than one operation. */
  txns: number;
}

export class Keyspace {
  readonly leases = new LeaseTable();
  readonly counts: OperationCounts = { ranges: 0, puts: 0, deletes: 0, txns: 0 };
  readonly #byKey = new Map<string, KeyEntry>();
  readonly #ordered = new OrderedKeys();
  readonly #slabs: Slabs;
  #history: Version[] = [];
  #revision = 1;
  #compactRevision = -1;
  #bytes = 0;
  #changesInTxn = 0;
  #sweep: CompactionSweep | undefined;

  constructor(slabs = new Slabs()) {
    this.#slabs = slabs;
  }

  /** Revision of the last transaction that changed something. 1 in an empty keyspace. */
  get revision(): number {
    return this.#revision;
  }

  /** The oldest revision that can be read; -1 before the first compaction. */
  get compactRevision(): number {
    return this.#compactRevision;
  }

  /** Kept versions, oldest first. Appended to, or replaced as a whole; what is in it never changes. */
  get history(): readonly Version[] {
    return this.#history;
  }

  /** Estimate of the memory that keys and history take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keys that exist now. */
  get liveKeys(): number {
    return this.#ordered.countLive("", undefined);
  }

  /** Revision that a read in the running transaction sees: the next one once it has changed something. */
  get revisionInTxn(): number {
    return this.#changesInTxn === 0 ? this.#revision : this.#revision + 1;
  }

  /** Begins to count operations anew. */
  forgetCounts(): void {
    Object.assign(this.counts, { ranges: 0, puts: 0, deletes: 0, txns: 0 });
  }

  /** Ends the running transaction: everything put and deleted since the last call becomes one revision. */
  commit(): void {
    if (this.#changesInTxn === 0) return;
    this.#changesInTxn = 0;
    this.#revision++;
  }

  /** The key as it is now, changes of the running transaction included. */
  get(key: string): Version | undefined {
    const latest = this.#byKey.get(key)?.latest;
    return latest === undefined || latest.isTombstone ? undefined : latest;
  }

  /** The newest link of a key's history, which may be a tombstone. */
  newest(key: string): Version | undefined {
    return this.#byKey.get(key)?.latest;
  }

  /** Throws FUTURE_REVISION or COMPACTED if nothing can be read as of `revision`. */
  checkReadable(revision: number): void {
    if (revision > this.revisionInTxn) throw EtcdError.refusal("FUTURE_REVISION");
    if (revision < this.#compactRevision) throw EtcdError.refusal("COMPACTED");
  }

  /**
   * The live keys of a range as of a revision (0 or less: now), in key order, at most `limit` (0: all).
   * Throws as {@link checkReadable}.
   */
  scan(range: KeyRange, revision: number, limit: number): Scan {
    if (revision > 0) this.checkReadable(revision);
    const past = revision > 0 && revision < this.revisionInTxn;
    if (range.point) {
      const newest = this.#byKey.get(range.start)?.latest;
      const version = past ? asOf(newest, revision) : newest;
      if (version === undefined || version.isTombstone) return { versions: [], count: 0 };
      return { versions: [version], count: 1 };
    }
    return past ? this.#scanPast(range, revision, limit) : this.#scanPresent(range, limit);
  }

  /** How many keys are live in the range, as of a revision. */
  count(range: KeyRange, revision: number): number {
    if (range.point || (revision > 0 && revision !== this.revisionInTxn)) {
      return this.scan(range, revision, 1).count;
    }
    return this.#ordered.countLive(range.start, range.end);
  }

  /** Writes a key in the running transaction. A lease must exist. Returns the version before, if live. */
  put(key: string, value: string, lease: bigint): Version | undefined {
    this.counts.puts++;
    const entry = this.#byKey.get(key);
    const before = entry?.latest;
    const live = before !== undefined && !before.isTombstone;
    const main = this.#revision + 1;
    const fields: VersionFields = {
      key: entry?.key ?? key,
      main,
      sub: this.#changesInTxn,
      create: live ? before.create : main,
      version: live ? before.version + 1 : 1,
      lease,
    };
    this.#append(new Version(fields, writeKeyValue(this.#slabs, fields, value), before), entry);
    return live ? before : undefined;
  }

  /** Deletes the live keys of a range in the running transaction. Returns what they were, in key order. */
  deleteRange(range: KeyRange): readonly Version[] {
    this.counts.deletes++;
    const { versions } = this.scan(range, 0, 0);
    for (const version of versions) {
      const main = this.#revision + 1;
      const { key } = version;
      const fields: VersionFields = { key, main, sub: this.#changesInTxn, create: 0, version: 0, lease: 0n };
      const entry = this.#byKey.get(key);
      this.#append(new Version(fields, writeTombstone(this.#slabs, key, main), version), entry);
    }
    return versions;
  }

  /** Ends a lease and deletes its keys, sorted, as one transaction. Throws LEASE_NOT_FOUND. */
  revoke(id: bigint): void {
    const lease = this.leases.get(id);
    if (lease === undefined) throw EtcdError.refusal("LEASE_NOT_FOUND");
    for (const key of [...lease.keys].sort(byteOrder)) {
      this.deleteRange({ start: key, end: undefined, point: true });
    }
    this.leases.remove(id);
    this.commit();
  }

  /** The events of revisions from `from` to the current one, oldest first, as places in {@link history}. */
  placeOf(from: number): number {
    return firstAfter(this.#history, from - 1);
  }

  /**
   * Makes `revision` the oldest that can be read. What only older revisions need is dropped by
   * {@link sweep}, which must be called until it returns true. Throws COMPACTED or FUTURE_REVISION.
   */
  compact(revision: number): void {
    if (revision <= this.#compactRevision) throw EtcdError.refusal("COMPACTED");
    if (revision > this.#revision) throw EtcdError.refusal("FUTURE_REVISION");
    this.#compactRevision = revision;
  }

  /** Revision to which a sweep goes on, or the next one would go. */
  get sweepRevision(): number {
    return this.#sweep?.revision ?? this.#compactRevision;
  }

  /** A sweep has begun and is not through. */
  get isSweeping(): boolean {
    return this.#sweep !== undefined;
  }

  /** Does a part of the compaction, looking at no more than `most` versions. True when nothing is left to do. */
  sweep(most: number, visitor?: CompactionVisitor): boolean {
    this.#sweep ??= new CompactionSweep(this.#history, this.#compactRevision, this.#slabs);
    for (const dropped of this.#sweep.step(most, visitor)) {
      this.#bytes -= dropped.length + VERSION_OVERHEAD;
      if (dropped.isTombstone && this.#byKey.get(dropped.key)?.latest === dropped) {
        this.#ordered.remove(dropped.key);
        this.#byKey.delete(dropped.key);
      }
    }
    if (!this.#sweep.done) return false;
    const { revision } = this.#sweep;
    this.#history = this.#sweep.finish(this.#history);
    this.#sweep = undefined;
    return revision === this.#compactRevision;
  }

  /** Takes up one version of a snapshot; they come in the order of {@link history}. */
  restoreVersion(fields: VersionFields, encoded: Buffer): void {
    const entry = this.#byKey.get(fields.key);
    const key = entry?.key ?? fields.key;
    this.#append(new Version({ ...fields, key }, writeEncoded(this.#slabs, encoded), entry?.latest), entry);
    this.#changesInTxn = 0;
  }

  /** Ends a restore. */
  restoreRevisions(revision: number, compactRevision: number): void {
    this.#revision = revision;
    this.#compactRevision = compactRevision;
  }

  #append(version: Version, entry: KeyEntry | undefined): void {
    const before = version.previous;
    const wasLive = before !== undefined && !before.isTombstone;
    const isLive = !version.isTombstone;
    if (before !== undefined) before.supersededBy = version.main;
    if (wasLive && before.lease !== 0n && before.lease !== version.lease) {
      this.leases.detach(before.lease, version.key);
    }
    if (version.lease !== 0n) this.leases.attach(version.lease, version.key);
    if (entry === undefined) {
      const added: KeyEntry = { key: version.key, latest: version };
      this.#byKey.set(version.key, added);
      this.#ordered.insert(added);
    } else {
      entry.latest = version;
      if (wasLive !== isLive) this.#ordered.adjustLive(version.key, isLive ? 1 : -1);
    }
    this.#history.push(version);
    this.#bytes += version.length + VERSION_OVERHEAD;
    this.#changesInTxn++;
  }

  #scanPresent(range: KeyRange, limit: number): Scan {
    const versions: Version[] = [];
    this.#ordered.visit(range.start, range.end, ({ latest }) => {
      if (!latest.isTombstone) versions.push(latest);
      return versions.length !== limit || limit === 0;
    });
    const cut = limit > 0 && versions.length === limit;
    return { versions, count: cut ? this.#ordered.countLive(range.start, range.end) : versions.length };
  }

  #scanPast(range: KeyRange, revision: number, limit: number): Scan {
    const versions: Version[] = [];
    let count = 0;
    this.#ordered.visit(range.start, range.end, ({ latest }) => {
      const version = asOf(latest, revision);
      if (version === undefined || version.isTombstone) return true;
      count++;
      if (limit === 0 || versions.length < limit) versions.push(version);
      return true;
    });
    return { versions, count };
  }
}

/** Bytes in the order of etcd: latin1 characters compare as the bytes that they are. */
export function byteOrder(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function asOf(newest: Version | undefined, revision: number): Version | undefined {
  let version = newest;
  while (version !== undefined && version.main > revision) version = version.previous;
  return version;
}
