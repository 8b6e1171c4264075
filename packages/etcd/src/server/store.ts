// The state and its disk together: a change is put in the log, and carried out and answered once it is there.
// Reads look at the state directly, so nobody ever sees what a crash could take back.

import { StoreDirectory } from "../disk/directory.ts";
import { errnoOf } from "../disk/failure.ts";
import { EtcdError } from "../errors.ts";
import { Crc32c } from "../disk/crc32c.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { AuthState } from "./auth/auth-state.ts";
import type { TxnRequest } from "../keyspace/requests.ts";
import { HistoryHasher } from "./backend/history-hash.ts";
import { alarmCommand, fromRecord, startCommand, toRecord, type Change, type Command } from "./commands.ts";
import type { LogFunction, ServerLimits } from "./options.ts";
import type { Seal } from "./seal.ts";
import { StateRestore, snapshotChunks } from "./state-snapshot.ts";
import { StoreState, type Outcomes } from "./state.ts";

/** etcdserverpb.AlarmType.NOSPACE. */
export const ALARM_NO_SPACE = 1;
/** etcdserverpb.AlarmType.CORRUPT. */
const ALARM_CORRUPT = 2;
/** What a store whose keys differ from those of other members goes on doing: nothing that touches them. */
const REFUSED_WHEN_CORRUPT: ReadonlySet<Command["kind"]> = new Set([
  "put",
  "delete",
  "txn",
  "compact",
  "grant",
  "revoke",
]);
const SEGMENT_BYTES = 16 << 20;
const MOST_QUEUED_BYTES = 64 << 20;
/** The log is this part of the store's size at least when a snapshot takes its place. */
const LEAST_LOG_PART = 4;
const SWEEP_STEP = 20_000;
/** Versions of a compaction between two turns of the event loop; each of them is summed up. */
const SUMMED_STEP = 2000;

export interface StoreOptions {
  readonly dataDir: string;
  /** Where the log lies, if not in the data directory. */
  readonly walDir?: string | undefined;
  readonly limits: Required<ServerLimits>;
  readonly randomId: () => bigint;
  readonly log: LogFunction;
  /** A write to the log took so long, in milliseconds. */
  readonly onWritten?: ((milliseconds: number) => void) | undefined;
}

/** Told of what the state went through, in order. */
export interface StoreListener {
  applied(change: Change): void;
}

export class Store implements AsyncDisposable {
  readonly #options: StoreOptions;
  readonly #state: StoreState;
  readonly #hasher: HistoryHasher;
  #directory!: StoreDirectory;
  #listener: StoreListener | undefined;
  #sweeping: Promise<void> | undefined;
  #snapshotting: Promise<void> | undefined;
  /** Revision to which the last compaction was carried through. */
  #sweptRevision = -1;
  #appliedIndex = 0;
  #closed = false;
  #pending = 0;
  #failed = 0;

  private constructor(options: StoreOptions, state: StoreState) {
    this.#options = options;
    this.#state = state;
    this.#hasher = new HistoryHasher(state.keyspace, new Crc32c());
  }

  /** Recovers what the directory holds. Throws STORE_IN_USE, STORE_DAMAGED or STORE_IO. */
  static async open(options: StoreOptions): Promise<Store> {
    const state = new StoreState();
    const restore = new StateRestore(state);
    const store = new Store(options, state);
    const { dataDir: path, walDir: logPath, randomId, onWritten } = options;
    const onFailure = (failure: EtcdError | undefined): void => store.#onFailure(failure);
    store.#directory = await StoreDirectory.open(
      { path, logPath, segmentBytes: SEGMENT_BYTES, randomId, onFailure, onWritten },
      {
        snapshot: (chunk) => restore.take(chunk),
        record: (record) => replay(state, fromRecord(record)),
      },
    );
    const { cutOff, log } = store.#directory;
    store.#appliedIndex = log.lastIndex;
    if (cutOff !== undefined) options.log("warn", "cut off a torn last write", { ...cutOff });
    while (!state.keyspace.sweep(SWEEP_STEP));
    state.keyspace.forgetCounts();
    store.#sweptRevision = state.keyspace.compactRevision;
    try {
      await store.propose(startCommand());
    } catch (error) {
      // What a disk that takes no writes holds can still be read.
      state.apply(startCommand());
      options.log("error", "the start could not be recorded: only reads are served", {
        error: String(error),
      });
    }
    return store;
  }

  get keyspace(): Keyspace {
    return this.#state.keyspace;
  }

  get auth(): AuthState {
    return this.#state.auth;
  }

  /** What the log makes. To be looked at only. */
  get state(): StoreState {
    return this.#state;
  }

  /** Kinds of alarms that are raised, as etcdserverpb.AlarmType. */
  get alarms(): ReadonlySet<number> {
    return this.#state.alarms.kinds;
  }

  /** Checksums of the history. */
  get hasher(): HistoryHasher {
    return this.#hasher;
  }

  /** Set while the store takes no changes, because it moves elsewhere. */
  /** Where other members would find this one, once that was changed. */
  get peerUrls(): readonly string[] | undefined {
    return this.#state.peerUrls;
  }

  get seal(): Seal | undefined {
    return this.#state.seal;
  }

  get term(): number {
    return this.#state.term;
  }

  /** Index of the last command that was carried out. */
  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  /** Changes that wait for the log, and those that it did not take, since the start. */
  get counts(): { readonly pending: number; readonly failed: number } {
    return { pending: this.#pending, failed: this.#failed };
  }

  get clusterId(): bigint {
    return this.#directory.clusterId;
  }

  get memberId(): bigint {
    return this.#directory.memberId;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#directory.bytes;
  }

  /** Why nothing can be written now. */
  get failure(): EtcdError | undefined {
    return this.#directory.log.failure;
  }

  /** Tells one listener of every change from now on. */
  listen(listener: StoreListener): void {
    this.#listener = listener;
  }

  /**
   * Records a change and carries it out. Rejects with the refusal if it cannot be carried out, NO_SPACE,
   * TOO_MANY_REQUESTS or UNHEALTHY if it cannot be recorded, SERVER_TIMEOUT if nobody knows whether it was.
   */
  propose<K extends Command["kind"]>(command: Extract<Command, { kind: K }>): Promise<Outcomes[K]> {
    return new Promise((resolve, reject) => {
      this.#admit(command);
      this.#pending++;
      this.#directory.log.append(toRecord(command), (error, index) => {
        this.#pending--;
        if (error !== undefined) {
          this.#failed++;
          return reject(asRefusal(error));
        }
        this.#appliedIndex = index;
        try {
          const outcome = this.#state.apply(command) as Outcomes[K];
          this.#listener?.applied(command);
          resolve(outcome);
          // Not after a refused one: the sum of the compaction before it must stay as it is.
          if (command.kind === "compact") this.#sweeping ??= this.#sweep();
        } catch (refusal) {
          reject(refusal as EtcdError);
        }
        if (this.#isSnapshotDue()) this.#snapshotting ??= this.#snapshot();
      });
    });
  }

  /** Resolves when the space of what was compacted is free. */
  async swept(): Promise<void> {
    await this.#sweeping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#snapshotting;
    await this.#sweeping;
    await this.#directory[Symbol.asyncDispose]();
  }

  #admit(command: Command): void {
    const { limits } = this.#options;
    this.#state.checkSeal(command.kind);
    if (command.body.length > limits.maxRequestBytes) throw EtcdError.refusal("REQUEST_TOO_LARGE");
    if (this.#directory.log.queuedBytes > MOST_QUEUED_BYTES) throw EtcdError.refusal("TOO_MANY_REQUESTS");
    // What is refused now need not be recorded; what is not may still be refused when its turn comes.
    if (this.#state.auth.enabled) this.#state.permit(command);
    if (this.alarms.has(ALARM_CORRUPT) && REFUSED_WHEN_CORRUPT.has(command.kind)) {
      throw EtcdError.refusal("CORRUPT");
    }
    if (!needsSpace(command)) return;
    if (this.alarms.has(ALARM_NO_SPACE)) throw EtcdError.refusal("NO_SPACE");
    if (this.#state.keyspace.bytes + command.body.length > limits.quotaBytes) {
      this.#raiseNoSpace();
      throw EtcdError.refusal("NO_SPACE");
    }
  }

  #raiseNoSpace(): void {
    this.#options.log("warn", "the quota is used up: writes are refused until space is freed", {
      quotaBytes: this.#options.limits.quotaBytes,
    });
    const raised = { alarm: ALARM_NO_SPACE, member: this.memberId, active: true };
    this.propose(alarmCommand(raised)).catch((error: unknown) => {
      this.#options.log("error", "the alarm could not be recorded", { error: String(error) });
    });
  }

  /** A large store is not written anew for a few changes: only once the log is a good part of its size. */
  #isSnapshotDue(): boolean {
    const changes = this.#appliedIndex - this.#directory.snapshotIndex;
    if (changes < this.#options.limits.snapshotCount) return false;
    return this.#directory.log.bytes >= this.#state.keyspace.bytes / LEAST_LOG_PART;
  }

  async #sweep(): Promise<void> {
    const { keyspace } = this.#state;
    let isDone = false;
    while (!isDone) {
      await pause();
      const revision = keyspace.sweepRevision;
      const sum = this.#hasher.compaction(revision, this.#sweptRevision);
      isDone = keyspace.sweep(SUMMED_STEP, sum);
      while (!isDone && keyspace.isSweeping) {
        await pause();
        isDone = keyspace.sweep(SUMMED_STEP, sum);
      }
      sum.compacted();
      this.#sweptRevision = revision;
    }
    this.#sweeping = undefined;
  }

  async #snapshot(): Promise<void> {
    const index = this.#appliedIndex;
    const { log } = this.#options;
    try {
      await this.#directory.snapshot(index, snapshotChunks(this.#state));
      log("debug", "wrote a snapshot", { index });
    } catch (error) {
      log("error", "could not write a snapshot; the log is kept", { error: String(error) });
      if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, 1000).unref());
    }
    this.#snapshotting = undefined;
  }

  #onFailure(failure: EtcdError | undefined): void {
    if (failure === undefined) this.#options.log("info", "the log can be written again");
    else
      this.#options.log("error", "the log cannot be written: writes are refused", { error: failure.message });
  }
}

/** Lets everything else that waits have its turn. */
function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whether a command adds to the keys. Deletions, compactions and what only reads go on when space is used up. */
function needsSpace(command: Command): boolean {
  if (command.kind === "txn") return putsAnything(command.request);
  return command.kind === "put" || command.kind === "grant";
}

function putsAnything({ success, failure }: TxnRequest): boolean {
  return [...success, ...failure].some(
    (operation) => operation.kind === "put" || (operation.kind === "txn" && putsAnything(operation.request)),
  );
}

/** A refused command is in the log too; it is refused again. */
export function replay(state: StoreState, change: Change): void {
  try {
    state.apply(change);
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
  }
  // A compaction in the log was swept when it was new; doing the same now keeps memory as small.
  if (change.kind === "compact") while (!state.keyspace.sweep(SWEEP_STEP));
}

/** What a client is told of a failing disk. */
function asRefusal(error: EtcdError): EtcdError {
  const refusal = EtcdError.refusal(
    error.code === "AMBIGUOUS"
      ? "SERVER_TIMEOUT"
      : error.code === "CLOSED"
        ? "SERVER_STOPPED"
        : errnoOf(error) === "ENOSPC"
          ? "NO_SPACE"
          : "UNHEALTHY",
  );
  return new EtcdError(refusal.code, refusal.message, { grpcStatus: refusal.grpcStatus, cause: error });
}
