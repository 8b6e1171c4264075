import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { EtcdError } from "../errors.ts";
import { AlarmType } from "../proto/generated/etcdserverpb/maintenance_pb.ts";
import type { ResponseHeader } from "../proto/generated/etcdserverpb/header_pb.ts";
import { Caller } from "./caller.ts";
import type { RetryOptions } from "./caller.ts";
import { Connector } from "./connector.ts";
import { parseEndpoints } from "./endpoint.ts";
import { rangeOf, toKeyValue } from "./key-value.ts";
import type { KeySelector, KeyValue } from "./key-value.ts";
import { keyBytes, MAX_TTL_SECONDS, revisionBits, valueBytes, wholeNumber } from "./limits.ts";
import { Login } from "./login.ts";
import type { ClientAuth } from "./login.ts";
import { toMember } from "./members.ts";
import type { Member, NewMember } from "./members.ts";
import { RPC } from "./rpc.ts";
import type { Rpc } from "./rpc.ts";
import { snapshot } from "./snapshot.ts";
import { surroundings } from "./surroundings.ts";
import type { Clock, Log, Random } from "./surroundings.ts";
import { tlsSupply } from "./tls.ts";
import type { TlsSource } from "./tls.ts";
import { toOpResult, transactionRequest } from "./transaction.ts";
import type { OpResult, PutOptions, Transaction } from "./transaction.ts";
import { watch, watchWire } from "./watch.ts";
import type { WatchBatch, WatchOptions, WireBatch } from "./watch.ts";

export interface EtcdClientOptions {
  /**
   * `http://host:port`, `https://host:port` or `host:port` (which takes TLS if `tls` is given), at least one.
   * They must be members of one cluster, and all speak TLS or none.
   */
  readonly endpoints: readonly string[];
  /**
   * How to speak TLS. A function is asked before each connection, so that it can give certificates that were
   * renewed; connections that are open go on with the old ones.
   */
  readonly tls?: TlsSource | undefined;
  /** A user of the store, where it asks for one. */
  readonly auth?: ClientAuth | undefined;
  /**
   * Time for one try of one call in milliseconds, default 2000. Connecting counts, but leaves the call itself
   * at least half of it.
   */
  readonly deadlineMs?: number | undefined;
  /** Default: 4 tries, 50 ms after the first failure, at most 1000 ms apart. */
  readonly retry?: Partial<RetryOptions> | undefined;
  readonly log?: Log | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** What every call takes. */
export interface RequestOptions {
  /** Gives the call up: it fails with ABORTED, and a write may have been carried out all the same. */
  readonly signal?: AbortSignal | undefined;
  /** Time for one try in milliseconds, instead of the client's. */
  readonly deadlineMs?: number | undefined;
  /** Tries in all, instead of the client's. */
  readonly attempts?: number | undefined;
}

/** What every write takes. */
export interface WriteOptions extends RequestOptions {
  /** Carrying the write out twice does no harm: repeat it where it would otherwise fail with AMBIGUOUS. */
  readonly idempotent?: boolean | undefined;
}

export interface ReadOptions extends RequestOptions {
  /** Read as of this revision. Default: the current one. */
  readonly revision?: number | undefined;
  /** Answer from the member that is asked, which may lag behind the cluster. */
  readonly serializable?: boolean | undefined;
}

export interface RangeOptions extends ReadOptions {
  /** Most pairs to answer, in the order of the keys' bytes. Default: all. */
  readonly limit?: number | undefined;
  readonly keysOnly?: boolean | undefined;
  readonly countOnly?: boolean | undefined;
}

export interface RangeResult {
  readonly kvs: readonly KeyValue[];
  /** Keys that the selector matches, whatever the limit. */
  readonly count: number;
  /** The limit cut the answer short. */
  readonly more: boolean;
  /** The store's current revision: watch from the next one on to miss nothing. */
  readonly revision: number;
}

export interface MemberStatus {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly version: string;
  readonly revision: number;
  readonly dbSizeBytes: number;
  readonly dbSizeInUseBytes: number;
  /** Member id of the leader, 0n when there is none. */
  readonly leader: bigint;
  readonly isLearner: boolean;
  readonly raftTerm: number;
  /** Entries of raft's log: committed, and carried out. */
  readonly raftIndex: number;
  readonly raftAppliedIndex: number;
  readonly errors: readonly string[];
}

/** Checksum of a store's keys with their history. */
export interface HashKv {
  /** CRC-32C, unsigned. */
  readonly hash: number;
  /** The store's current revision. */
  readonly revision: number;
  /** Revision with which the kept history begins; -1 before the first compaction. */
  readonly compactRevision: number;
}

/** An alarm that a member has raised: its space is used up, or its data differs from the others'. */
export interface MemberAlarm {
  readonly memberId: bigint;
  readonly alarm: "NOSPACE" | "CORRUPT";
}

/**
 * A client of an etcd v3 store, be it the embedded server or a real cluster. It opens no connection before it
 * is used, shares one among all calls and watches, and replaces it when it fails or falls silent. Every method
 * fails with an {@link EtcdError} and nothing else.
 */
export class EtcdClient implements AsyncDisposable {
  readonly #caller: Caller;
  readonly #options: EtcdClientOptions;

  /** @throws EtcdError INVALID_ARGUMENT */
  constructor(options: EtcdClientOptions) {
    const endpoints = parseEndpoints(options.endpoints, options.tls !== undefined);
    const around = surroundings(options);
    const { deadlineMs = 2000, auth } = options;
    const retry = { attempts: 4, firstDelayMs: 50, maxDelayMs: 1000, ...options.retry };
    const tls = endpoints[0]?.secure === true ? tlsSupply(options.tls ?? {}) : undefined;
    const connector = new Connector(endpoints, around, tls);
    const login = auth === undefined ? undefined : new Login(auth, deadlineMs);
    this.#caller = new Caller(connector, around, { deadlineMs, retry, login });
    this.#options = options;
  }

  /** `lastOkMs`: when the store last answered, on the clock's monotonic time; undefined before the first time. */
  get contact(): { readonly lastOkMs: number | undefined } {
    return { lastOkMs: this.#caller.lastOkMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#caller.connector.close();
    await Promise.resolve();
  }

  /** One key, or undefined when it does not exist. */
  async get(key: string, options: ReadOptions = {}): Promise<KeyValue | undefined> {
    const { kvs } = await this.range({ key }, options);
    return kvs[0];
  }

  /** The keys that the selector matches, sorted by their bytes. */
  async range(selector: KeySelector, options: RangeOptions = {}): Promise<RangeResult> {
    const { revision, limit = 0, serializable = false, keysOnly = false, countOnly = false } = options;
    const request = {
      ...rangeOf(selector),
      revision: revision === undefined ? 0n : revisionBits(revision),
      limit: revisionBits(limit, 0),
      serializable,
      keysOnly,
      countOnly,
    };
    const answer = await this.#caller.unary(RPC.range, request, {
      ...options,
      repeatable: true,
      needsLeader: !serializable,
    });
    return {
      kvs: answer.kvs.map(toKeyValue),
      count: wholeNumber(answer.count),
      more: answer.more,
      revision: revisionOf(answer.header),
    };
  }

  /** Writes one key. */
  async put(
    key: string,
    value: string | Uint8Array,
    options: PutOptions & WriteOptions = {},
  ): Promise<{ readonly revision: number; readonly previous: KeyValue | undefined }> {
    const { lease = 0n, prevKv = false } = options;
    const request = { key: keyBytes(key), value: valueBytes(value), lease, prevKv };
    const answer = await this.#caller.unary(RPC.put, request, write(options));
    return {
      revision: revisionOf(answer.header),
      previous: answer.prevKv === undefined ? undefined : toKeyValue(answer.prevKv),
    };
  }

  /** Deletes the keys that the selector matches, in one revision; none if there are none. */
  async delete(
    selector: KeySelector,
    options: { readonly prevKv?: boolean | undefined } & WriteOptions = {},
  ): Promise<{
    readonly revision: number;
    readonly deleted: number;
    readonly previous: readonly KeyValue[];
  }> {
    const request = { ...rangeOf(selector), prevKv: options.prevKv ?? false };
    const answer = await this.#caller.unary(RPC.deleteRange, request, write(options));
    return {
      revision: revisionOf(answer.header),
      deleted: wholeNumber(answer.deleted),
      previous: answer.prevKvs.map(toKeyValue),
    };
  }

  /** Carries out `success` if every condition holds and `failure` otherwise, all in one revision. */
  async txn(
    transaction: Transaction,
    options: WriteOptions = {},
  ): Promise<{
    readonly succeeded: boolean;
    readonly revision: number;
    readonly responses: readonly OpResult[];
  }> {
    const answer = await this.#caller.unary(RPC.txn, transactionRequest(transaction), write(options));
    return {
      succeeded: answer.succeeded,
      revision: revisionOf(answer.header),
      responses: answer.responses.map(toOpResult),
    };
  }

  /** Drops the history before `revision`. What is compacted already is an error: COMPACTED. */
  async compact(
    revision: number,
    options: RequestOptions & { readonly physical?: boolean | undefined } = {},
  ): Promise<void> {
    const request = { revision: revisionBits(revision), physical: options.physical ?? false };
    await this.#caller.unary(RPC.compact, request, write(options));
  }

  /**
   * Follows changes. The iteration goes on across disconnects and restarts of the server without gaps or
   * duplicates, and ends when the signal fires or the consumer leaves the loop. It begins with the first
   * `next()`; to miss nothing after a read, give the read's `revision + 1` as `startRevision`.
   * @throws EtcdError COMPACTED (with `compactRevision`) when the store has dropped what would come next, and
   * STORE_REPLACED when another store answers: read everything anew in both cases
   */
  watch(selector: KeySelector, options: WatchOptions): AsyncGenerator<WatchBatch, void, void> {
    return watch(this.#caller, selector, options);
  }

  /** As {@link watch}, with keys and values as the bytes that they are. */
  watchWire(
    range: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array },
    options: WatchOptions,
  ): AsyncGenerator<WireBatch, void, void> {
    return watchWire(this.#caller, range, options);
  }

  /** Calls any method with one request and one answer, in its own messages: bytes as they are. */
  call<I extends DescMessage, O extends DescMessage>(
    rpc: Rpc<I, O>,
    request: MessageInitShape<I>,
    options: WriteOptions = {},
  ): Promise<MessageShape<O>> {
    return this.#caller.unary(rpc, request, write(options));
  }

  /**
   * Grants a lease. The server may raise the time to live to its minimum. When the answer of a first try is
   * lost, a second lease is granted and the first one runs out by itself.
   */
  async grantLease(
    ttlSeconds: number,
    id = 0n,
    options: RequestOptions = {},
  ): Promise<{ readonly id: bigint; readonly ttlSeconds: number }> {
    if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > MAX_TTL_SECONDS) {
      throw new EtcdError("INVALID_ARGUMENT", `${ttlSeconds} is not a time to live in whole seconds`);
    }
    const request = { TTL: BigInt(ttlSeconds), ID: id };
    const answer = await this.#caller.unary(RPC.leaseGrant, request, { ...options, repeatable: id === 0n });
    if (answer.error !== "") throw new EtcdError("INTERNAL", `the lease was not granted: ${answer.error}`);
    return { id: answer.ID, ttlSeconds: wholeNumber(answer.TTL) };
  }

  /** Ends a lease and deletes its keys. */
  async revokeLease(id: bigint, options: WriteOptions = {}): Promise<void> {
    await this.#caller.unary(RPC.leaseRevoke, { ID: id }, write(options));
  }

  /**
   * Renews a lease.
   * @throws EtcdError LEASE_NOT_FOUND when there is no such lease (any more)
   */
  async keepAliveOnce(id: bigint, options: RequestOptions = {}): Promise<{ readonly ttlSeconds: number }> {
    const answer = await this.#caller.exchange(
      RPC.leaseKeepAlive,
      { ID: id },
      { ...options, repeatable: true },
    );
    if (answer.TTL <= 0n) throw EtcdError.refusal("LEASE_NOT_FOUND");
    return { ttlSeconds: wholeNumber(answer.TTL) };
  }

  /** What is left of a lease, or undefined when there is no such lease. `keys` only when they are asked for. */
  async leaseTimeToLive(
    id: bigint,
    options: RequestOptions & { readonly keys?: boolean | undefined } = {},
  ): Promise<
    | { readonly ttlSeconds: number; readonly grantedTtlSeconds: number; readonly keys: readonly string[] }
    | undefined
  > {
    const request = { ID: id, keys: options.keys ?? false };
    const answer = await this.#caller.unary(RPC.leaseTimeToLive, request, { ...options, repeatable: true });
    if (answer.TTL < 0n) return undefined;
    return {
      ttlSeconds: wholeNumber(answer.TTL),
      grantedTtlSeconds: wholeNumber(answer.grantedTTL),
      keys: answer.keys.map((key) => new TextDecoder().decode(key)),
    };
  }

  /** The members of the cluster. */
  async memberList(options: RequestOptions = {}): Promise<readonly Member[]> {
    const settings = { ...options, repeatable: true, needsLeader: false };
    const answer = await this.#caller.unary(RPC.memberList, {}, settings);
    return answer.members.map(toMember);
  }

  /** Adds a member that has yet to start; the answer names its id. */
  async memberAdd(member: NewMember, options: RequestOptions = {}): Promise<Member> {
    const request = { peerURLs: [...member.peerUrls], isLearner: member.isLearner ?? false };
    const answer = await this.#caller.unary(RPC.memberAdd, request, write(options));
    if (answer.member === undefined) throw new EtcdError("BAD_RESPONSE", "the added member is not named");
    return toMember(answer.member);
  }

  /** Removes a member; the answer is the members that are left. */
  async memberRemove(id: bigint, options: WriteOptions = {}): Promise<readonly Member[]> {
    return (await this.#caller.unary(RPC.memberRemove, { ID: id }, write(options))).members.map(toMember);
  }

  /** Changes where the other members reach a member. */
  async memberUpdate(
    id: bigint,
    peerUrls: readonly string[],
    options: WriteOptions = {},
  ): Promise<readonly Member[]> {
    const request = { ID: id, peerURLs: [...peerUrls] };
    return (await this.#caller.unary(RPC.memberUpdate, request, write(options))).members.map(toMember);
  }

  /** Gives a learner its vote. Throws LEARNER_NOT_READY while it is behind. */
  async memberPromote(id: bigint, options: WriteOptions = {}): Promise<readonly Member[]> {
    return (await this.#caller.unary(RPC.memberPromote, { ID: id }, write(options))).members.map(toMember);
  }

  /** Hands the leadership to another member. Only the leader itself does that: NOT_LEADER from all others. */
  async moveLeader(targetId: bigint, options: RequestOptions = {}): Promise<void> {
    await this.#caller.unary(RPC.moveLeader, { targetID: targetId }, write(options));
  }

  /** The alarms that are raised, of all members. */
  async alarms(options: RequestOptions = {}): Promise<readonly MemberAlarm[]> {
    const answer = await this.#caller.unary(RPC.alarm, {}, { ...options, repeatable: true });
    return answer.alarms.map(({ memberID, alarm }) => ({
      memberId: memberID,
      alarm: alarm === AlarmType.NOSPACE ? "NOSPACE" : "CORRUPT",
    }));
  }

  /** Gives freed space of the member's database back. It serves nothing meanwhile: allow it a long deadline. */
  async defragment(options: RequestOptions = {}): Promise<void> {
    await this.#caller.unary(RPC.defragment, {}, { ...options, repeatable: true, needsLeader: false });
  }

  /**
   * Checksum over all keys and their kept history up to `revision` (default: all). Two stores with the same
   * number, revision and compacted revision hold the same. Throws COMPACTED or FUTURE_REVISION.
   */
  async hashKv(revision?: number, options: RequestOptions = {}): Promise<HashKv> {
    const request = { revision: revision === undefined ? 0n : revisionBits(revision) };
    const settings = { ...options, repeatable: true, needsLeader: false };
    const answer = await this.#caller.unary(RPC.hashKv, request, settings);
    return {
      hash: answer.hash,
      revision: revisionOf(answer.header),
      compactRevision: wholeNumber(answer.compactRevision),
    };
  }

  /**
   * The whole store as etcd's database file, in pieces; the last 32 bytes are the SHA-256 of the others, and are
   * checked. Written to a file it is what `etcdutl snapshot restore` and `restoreSnapshot` read.
   * @throws EtcdError BAD_RESPONSE when what arrived is not what was sent
   */
  snapshot(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<Uint8Array, void, void> {
    return snapshot(this.#caller, options.signal);
  }

  /** How the member at `endpoint` is (default: the one that the client is connected to). */
  async status(endpoint?: string, options: RequestOptions = {}): Promise<MemberStatus> {
    if (endpoint !== undefined) {
      await using one = new EtcdClient({ ...this.#options, endpoints: [endpoint] });
      return await one.status(undefined, options);
    }
    const settings = { ...options, repeatable: true, needsLeader: false };
    const answer = await this.#caller.unary(RPC.status, {}, settings);
    return {
      clusterId: answer.header?.clusterId ?? 0n,
      memberId: answer.header?.memberId ?? 0n,
      version: answer.version,
      revision: revisionOf(answer.header),
      dbSizeBytes: wholeNumber(answer.dbSize),
      dbSizeInUseBytes: wholeNumber(answer.dbSizeInUse),
      leader: answer.leader,
      isLearner: answer.isLearner,
      raftTerm: wholeNumber(answer.raftTerm),
      raftIndex: wholeNumber(answer.raftIndex),
      raftAppliedIndex: wholeNumber(answer.raftAppliedIndex),
      errors: answer.errors,
    };
  }
}

function write(options: WriteOptions): RequestOptions & { readonly repeatable: boolean } {
  return { ...options, repeatable: options.idempotent ?? false };
}

function revisionOf(header: ResponseHeader | undefined): number {
  if (header === undefined) throw new EtcdError("BAD_RESPONSE", "the server answered without a header");
  return wholeNumber(header.revision);
}
