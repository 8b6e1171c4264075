// The keys API over the store in this process: reads look at the keyspace, writes are commands of the log.
import { create, toBinary } from "@bufbuild/protobuf";
import { EtcdError } from "../../errors.ts";
import { checkTxn } from "../../keyspace/validate.ts";
import { isWithin, type KeyRange } from "../../keyspace/requests.ts";
import type { Version } from "../../keyspace/version.ts";
import { WireReader } from "../../keyspace/wire.ts";
import {
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  TxnRequestSchema,
} from "../../proto/generated/etcdserverpb/kv_pb.ts";
import type {
  ChangeBatch,
  Condition,
  KeyChange,
  KeysStore,
  KeysTransaction,
  KeysWrite,
  LeaseTerm,
  LimitedSpan,
  Span,
  StoredKey,
} from "../../rest/keys-store.ts";
import { theServer, type Requester } from "../auth/requester.ts";
import { grantCommand, revokeCommand } from "../commands.ts";
import type { LeaseKeeper } from "../lease-keeper.ts";
import { readTxn } from "../messages/kv.ts";
import type { Store } from "../store.ts";
import { stateBefore } from "../watch/events.ts";
import type { Watcher, WatchHub } from "../watch/hub.ts";

/** Versions that are looked at in one go when history is read. */
const STEP = 2000;

export class EmbeddedKeysStore implements KeysStore {
  readonly #store: Store;
  readonly #leases: LeaseKeeper;
  readonly #hub: WatchHub;
  readonly #mostOps: number;

  constructor(parts: {
    readonly store: Store;
    readonly leases: LeaseKeeper;
    readonly hub: WatchHub;
    readonly mostOps: number;
  }) {
    this.#store = parts.store;
    this.#leases = parts.leases;
    this.#hub = parts.hub;
    this.#mostOps = parts.mostOps;
  }

  get identity(): KeysStore["identity"] {
    const { clusterId, appliedIndex, term } = this.#store;
    return { clusterId: clusterId.toString(16), raftIndex: appliedIndex, raftTerm: term };
  }

  async read(
    spans: readonly LimitedSpan[],
    revision = 0,
  ): Promise<{ readonly revision: number; readonly results: readonly (readonly StoredKey[])[] }> {
    const { keyspace } = this.#store;
    if (revision > 0 && revision < keyspace.compactRevision) throw this.#compacted();
    const results = spans.map((span) =>
      keyspace.scan(toRange(span), revision, span.limit ?? 0).versions.map(toStored),
    );
    return { revision: keyspace.revision, results };
  }

  async write(
    transaction: KeysTransaction,
  ): Promise<{ readonly succeeded: boolean; readonly revision: number }> {
    const message = create(TxnRequestSchema, {
      compare: transaction.when.map(toCompare),
      success: transaction.write.map(toOp),
    });
    const body = Buffer.from(toBinary(TxnRequestSchema, message));
    const request = readTxn(new WireReader(body));
    checkTxn(request, this.#mostOps);
    return this.#store.propose({ kind: "txn", request, body, ...this.#by });
  }

  async *watch(span: Span, from: number, signal: AbortSignal): AsyncGenerator<ChangeBatch, void, void> {
    const { keyspace } = this.#store;
    const range = toRange(span);
    let wake = Promise.withResolvers<void>();
    const abort = (): void => wake.resolve();
    const watcher: Watcher = {
      range,
      filter: { prevKv: true, noPut: false, noDelete: false },
      nextRevision: from,
      isCurrent: true,
      deliver: () => wake.resolve(),
    };
    this.#hub.add(watcher);
    signal.addEventListener("abort", abort, { once: true });
    try {
      let next = from;
      while (!signal.aborted) {
        wake = Promise.withResolvers();
        if (next < keyspace.compactRevision) throw this.#compacted();
        const { revision, changes } = this.#changes(range, next);
        next = Math.max(next, revision + 1);
        yield { revision: next - 1, changes };
        if (next > keyspace.revision && !signal.aborted) await wake.promise;
        else await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      signal.removeEventListener("abort", abort);
      this.#hub.remove(watcher);
    }
  }

  async grant(lease: bigint, seconds: number): Promise<void> {
    await this.#store.propose(grantCommand(lease, seconds));
  }

  async renew(lease: bigint): Promise<void> {
    if (this.#leases.renew(lease) === 0) throw EtcdError.refusal("LEASE_NOT_FOUND");
  }

  async revoke(lease: bigint): Promise<void> {
    await this.#store.propose({ ...revokeCommand(lease), ...this.#by });
  }

  async lease(lease: bigint): Promise<LeaseTerm | undefined> {
    const term = this.#store.keyspace.leases.get(lease);
    return term && { grantedSeconds: term.ttl, remainingMs: this.#leases.remaining(lease) };
  }

  /** Who uses this object has asked for users already, or is the server itself. */
  get #by(): { readonly by?: Requester } {
    const { auth } = this.#store;
    return auth.enabled ? { by: theServer(auth) } : {};
  }

  /** Whole revisions, as many as one step takes. */
  #changes(range: KeyRange, from: number): ChangeBatch {
    const { history, compactRevision, revision } = this.#store.keyspace;
    const changes: KeyChange[] = [];
    let place = this.#store.keyspace.placeOf(from);
    const stop = place + STEP;
    let last = from - 1;
    for (; place < history.length; place++) {
      const version = history[place] as Version;
      if (place >= stop && version.main !== last) return { revision: last, changes };
      last = version.main;
      if (isWithin(version.key, range)) changes.push(toChange(version, compactRevision));
    }
    return { revision: Math.max(last, revision), changes };
  }

  #compacted(): EtcdError {
    const { code, message, grpcStatus } = EtcdError.refusal("COMPACTED");
    return new EtcdError(code, message, {
      grpcStatus,
      compactRevision: this.#store.keyspace.compactRevision,
    });
  }
}

function toRange({ key, end }: Span): KeyRange {
  return { start: key, end, point: end === undefined };
}

function toStored(version: Version): StoredKey {
  const { key, create: createRevision, main: modRevision, lease } = version;
  return { key, value: Buffer.from(version.value, "latin1"), createRevision, modRevision, lease };
}

function toChange(version: Version, compactRevision: number): KeyChange {
  const before = stateBefore(version, compactRevision);
  const previous = before && toStored(before);
  if (!version.isTombstone) return { type: "put", kv: toStored(version), previous };
  return { type: "delete", key: version.key, revision: version.main, previous };
}

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

function toCompare(condition: Condition) {
  const result = Result.EQUAL;
  if ("absent" in condition) {
    const { key, end = "" } = condition.absent;
    const target = Target.CREATE;
    const targetUnion = { case: "createRevision", value: 0n } as const;
    return { result, target, key: bytes(key), rangeEnd: bytes(end), targetUnion };
  }
  const key = bytes(condition.key);
  if ("modRevision" in condition) {
    const targetUnion = { case: "modRevision", value: BigInt(condition.modRevision) } as const;
    return { result, target: Target.MOD, key, targetUnion };
  }
  const targetUnion = { case: "createRevision", value: BigInt(condition.createRevision) } as const;
  return { result, target: Target.CREATE, key, targetUnion };
}

function toOp(write: KeysWrite) {
  if ("put" in write) {
    const { put, value, lease } = write;
    return { request: { case: "requestPut", value: { key: bytes(put), value, lease } } as const };
  }
  const { key, end = "" } = write.delete;
  return {
    request: { case: "requestDeleteRange", value: { key: bytes(key), rangeEnd: bytes(end) } } as const,
  };
}
