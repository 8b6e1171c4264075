// Carries planned revisions out on the target. Invariant: the target is at the revision that this says, or this has
// failed. Ordered ones go out many at a time, each with a condition that holds only right after the one before;
// those that arrive too early change nothing and are sent again. So one that is sent twice is carried out once.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { EtcdError, RPC, type EtcdClient } from "../client/index.ts";
import {
  Compare_CompareResult as Result,
  Compare_CompareTarget as Target,
  type CompareSchema,
  type RequestOpSchema,
  type TxnRequestSchema,
} from "../proto/generated/etcdserverpb/kv_pb.ts";
import { withRanges } from "./deletions.ts";
import type { ReplayedChange, ReplayedRevision } from "./history.ts";
import { pause } from "./leases.ts";

type WireTxn = MessageInitShape<typeof TxnRequestSchema>;

const LOOSE_AT_A_TIME = 100;
/** Measured on etcd 3.5: most of a longer row would arrive out of order, a shorter one waits for its answers. */
const IN_A_ROW = 64;
const MOST_WAITING = 512;
const MOST_ROUNDS_WITHOUT_PROGRESS = 40;
const DEADLINE_MS = 10_000;
const ANY_KEY = { key: Buffer.alloc(1), rangeEnd: Buffer.alloc(1) };

export interface ReplayerOptions {
  readonly target: EtcdClient;
  readonly maxTxnOps: number;
  /** Revision at which the target is. */
  readonly revision: number;
  /** Versions of the keys that the target has. */
  readonly versions?: ReadonlyMap<string, number>;
  readonly signal: AbortSignal;
  /** Told of each advance. */
  readonly onRevision?: (revision: number) => void;
}

interface Sent {
  readonly revision: number;
  readonly txn: WireTxn;
  /** The next one can tell that this one was carried out. */
  readonly leavesMark: boolean;
}

export class Replayer {
  readonly #options: ReplayerOptions;
  readonly #versions: Map<string, number>;
  #revision: number;
  #mark: ReplayedChange | undefined;

  constructor(options: ReplayerOptions) {
    this.#options = options;
    this.#revision = options.revision;
    this.#versions = new Map(options.versions);
  }

  /** Revision at which the target is. */
  get revision(): number {
    return this.#revision;
  }

  /** Throws MIGRATION_REFUSED for a revision that is too large for the target, MIGRATION_FAILED otherwise. */
  async replay(revisions: Iterable<ReplayedRevision>): Promise<void> {
    let waiting: Sent[] = [];
    const loose = new Loose(this.#options, LOOSE_AT_A_TIME);
    const flush = async (): Promise<void> => {
      await this.#sendOrdered(waiting);
      waiting = [];
    };
    for (const step of revisions) {
      this.#options.signal.throwIfAborted();
      if (!step.ordered) {
        if (waiting.length > 0) await flush();
        await loose.send({ success: this.#operations(step) });
        this.#note(step.changes);
        continue;
      }
      if (loose.count > 0) this.#advance(await loose.settle(this.#revision));
      const sent = this.#guarded(step, waiting.at(-1));
      waiting.push(sent);
      if (waiting.length >= MOST_WAITING || !sent.leavesMark) await flush();
    }
    if (loose.count > 0) this.#advance(await loose.settle(this.#revision));
    await flush();
  }

  #advance(revision: number): void {
    this.#revision = revision;
    this.#options.onRevision?.(revision);
  }

  #guarded(step: ReplayedRevision, before: Sent | undefined): Sent {
    const { revision, changes } = step;
    const compare: MessageInitShape<typeof CompareSchema>[] = [];
    const [first] = changes;
    if (first !== undefined) {
      const version = BigInt(this.#versions.get(first.key) ?? 0);
      compare.push(isEqual(first.key, Target.VERSION, { case: "version", value: version }));
    }
    if (before !== undefined && this.#mark !== undefined) {
      const value = BigInt(before.revision);
      compare.push(isEqual(this.#mark.key, Target.MOD, { case: "modRevision", value }));
    }
    const success = this.#operations(step);
    this.#note(changes);
    this.#mark = changes.find(({ kind }) => kind === "put");
    return { revision, txn: { compare, success }, leavesMark: this.#mark !== undefined };
  }

  #operations({ revision, changes }: ReplayedRevision): MessageInitShape<typeof RequestOpSchema>[] {
    const { maxTxnOps } = this.#options;
    const fewest = changes.length > maxTxnOps ? withRanges(changes, this.#versions.keys()) : changes;
    if (fewest.length > maxTxnOps) {
      throw new EtcdError(
        "MIGRATION_REFUSED",
        `revision ${revision} needs a transaction of ${fewest.length} operations, and the target takes ${maxTxnOps}; start the target with --max-txn-ops=${fewest.length}`,
      );
    }
    return fewest.map(toOperation);
  }

  #note(changes: readonly ReplayedChange[]): void {
    for (const { kind, key } of changes) {
      if (kind === "put") this.#versions.set(key, (this.#versions.get(key) ?? 0) + 1);
      else this.#versions.delete(key);
    }
  }

  async #sendOrdered(all: readonly Sent[]): Promise<void> {
    let idle = 0;
    for (let rest = all; rest.length > 0;) {
      const { carriedOut, failure } = await this.#sendInARow(rest);
      if (failure !== undefined && !mayHavePassed(failure)) throw failed(failure);
      const count = failure === undefined ? carriedOut : await this.#countCarriedOut(rest);
      if (count > 0) this.#advance((rest[count - 1] as Sent).revision);
      rest = rest.slice(count);
      idle = count > 0 ? 0 : idle + 1;
      if (idle > MOST_ROUNDS_WITHOUT_PROGRESS) {
        throw failed(failure ?? new Error(`the target does not take revision ${rest[0]?.revision}`));
      }
      if (idle > 1) await pause(100, this.#options.signal);
    }
  }

  /**
   * Sends one after the other, a number of them at a time, until one was not carried out; resolves with how many
   * were when all are answered. Each goes out in a turn of its own: those that arrive in one piece are taken up in
   * any order.
   */
  async #sendInARow(all: readonly Sent[]): Promise<{ carriedOut: number; failure: EtcdError | undefined }> {
    const { target, signal } = this.#options;
    let carriedOut = 0;
    let failure: EtcdError | undefined;
    let isBroken = false;
    const running = new Set<Promise<void>>();
    for (const { txn } of all) {
      if (isBroken) break;
      const call = target.call(RPC.txn, txn, { signal, deadlineMs: DEADLINE_MS, attempts: 1 }).then(
        ({ succeeded }) => {
          if (succeeded) carriedOut++;
          else isBroken = true;
        },
        (error: unknown) => {
          isBroken = true;
          failure ??= error as EtcdError;
        },
      );
      running.add(call);
      void call.finally(() => running.delete(call));
      await new Promise((resolve) => setImmediate(resolve));
      while (running.size >= IN_A_ROW && !isBroken) await running.values().next().value;
    }
    await Promise.all(running);
    signal.throwIfAborted();
    return { carriedOut, failure };
  }

  /** How many of those that were sent the target has, after some were not answered or came too early. */
  async #countCarriedOut(window: readonly Sent[]): Promise<number> {
    const revision = await currentRevision(this.#options.target, this.#options.signal).catch(
      () => this.#revision,
    );
    const last = (window.at(-1) as Sent).revision;
    if (revision < this.#revision || revision > last) {
      throw failed(new Error(`the target is at revision ${revision}: someone else writes to it`));
    }
    return revision - this.#revision;
  }
}

/** Transactions that may be carried out in any order, a number of them at a time. */
class Loose {
  readonly #options: ReplayerOptions;
  readonly #most: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #count = 0;
  #newest = 0;
  #failure: unknown;

  constructor(options: ReplayerOptions, most: number) {
    this.#options = options;
    this.#most = most;
  }

  get count(): number {
    return this.#count;
  }

  /** Resolves as soon as there is room for another one. */
  async send(txn: WireTxn): Promise<void> {
    while (this.#running >= this.#most) await this.#oneLess();
    if (this.#failure !== undefined) throw failed(this.#failure);
    this.#count++;
    this.#running++;
    const { target, signal } = this.#options;
    void target
      .call(RPC.txn, txn, { signal, deadlineMs: DEADLINE_MS, attempts: 1 })
      .then(
        ({ header }) => (this.#newest = Math.max(this.#newest, Number(header?.revision ?? 0))),
        (error: unknown) => (this.#failure ??= error),
      )
      .finally(() => {
        this.#running--;
        this.#waiting.shift()?.();
        if (this.#count % 1000 === 0) this.#options.onRevision?.(this.#newest);
      });
  }

  /** Resolves with the target's revision when all are carried out. */
  async settle(before: number): Promise<number> {
    while (this.#running > 0) await this.#oneLess();
    if (this.#failure !== undefined) throw failed(this.#failure);
    const expected = before + this.#count;
    if (this.#newest !== expected) {
      throw failed(
        new Error(
          `the target is at revision ${this.#newest} instead of ${expected}: someone else writes to it`,
        ),
      );
    }
    this.#count = 0;
    return expected;
  }

  #oneLess(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** The store's revision, from the whole cluster and not from one member. */
export async function currentRevision(client: EtcdClient, signal?: AbortSignal): Promise<number> {
  const { header } = await client.call(
    RPC.range,
    { ...ANY_KEY, countOnly: true, limit: 1n },
    { signal, idempotent: true },
  );
  return Number(header?.revision ?? 0n);
}

function isEqual(
  key: string,
  target: Target,
  targetUnion: NonNullable<MessageInitShape<typeof CompareSchema>["targetUnion"]>,
): MessageInitShape<typeof CompareSchema> {
  return { key: Buffer.from(key, "latin1"), result: Result.EQUAL, target, targetUnion };
}

function toOperation(change: ReplayedChange): MessageInitShape<typeof RequestOpSchema> {
  const key = Buffer.from(change.key, "latin1");
  if (change.kind === "put") {
    const value = { key, value: Buffer.from(change.value, "latin1"), lease: change.lease };
    return { request: { case: "requestPut", value } };
  }
  const value = { key, rangeEnd: Buffer.from(change.rangeEnd, "latin1") };
  return { request: { case: "requestDeleteRange", value } };
}

const PASSING = new Set(["AMBIGUOUS", "TIMEOUT", "UNAVAILABLE", "REFUSED", "NO_LEADER", "LEADER_CHANGED"]);
const PASSING_TOO = new Set(["SERVER_TIMEOUT", "SERVER_STOPPED", "UNHEALTHY", "TOO_MANY_REQUESTS"]);

function mayHavePassed({ code }: EtcdError): boolean {
  return PASSING.has(code) || PASSING_TOO.has(code);
}

function failed(cause: unknown): EtcdError {
  if (cause instanceof EtcdError && cause.code.startsWith("MIGRATION_")) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new EtcdError("MIGRATION_FAILED", `the target could not be written: ${why}`, { cause });
}
