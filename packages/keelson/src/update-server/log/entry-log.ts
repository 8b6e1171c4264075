// The durable log of the update server: entries go to the disk in the order in which they were made, those that
// arrive while a write is under way together with the next (group commit). Files, checksums, torn ends and the lock
// are those of the store's write-ahead log. Invariants:
//
// - the promise of an append resolves when its entries are on the disk, all of them or none;
// - an entry that was made is never left out: what the disk refused is written first of all when it takes writes
//   again, so that the folds in memory and the log tell the same;
// - a snapshot holds exactly the entries before its place in the log.
import { StoreDirectory } from "@keelson/etcd/disk";
import type { Disk, EtcdError, LogRecord } from "@keelson/etcd/disk";
import { randomBytes } from "node:crypto";
import { KeelError } from "../../base/errors.ts";
import { logFailure } from "./failure.ts";
import type { Fold } from "./fold.ts";

export interface EntryLogOptions {
  /** Folder of the log; made if it is not there. */
  readonly path: string;
  /** Everything that is kept in it, each of a kind of its own. */
  readonly folds: readonly Fold[];
  /** Bytes of a segment; a start holds one in memory. */
  readonly segmentBytes?: number;
  /** Bytes of entries after which a snapshot is taken. */
  readonly snapshotBytes?: number;
  /** The disk refuses, or takes writes again (undefined). */
  readonly onFailure?: (failure: KeelError | undefined) => void;
  /** A snapshot could not be written; the next one is tried after as many bytes. */
  readonly onSnapshotFailure?: (error: unknown) => void;
  /** Milliseconds that entries wait for others to share their write; those of a crowd do not wait. */
  readonly lingerMs?: number;
  readonly disk?: Disk;
  /** Milliseconds after which a disk that refused is tried again. */
  readonly retryMs?: number;
}

const SEGMENT_BYTES = 8 << 20;
const SNAPSHOT_BYTES = 32 << 20;
const LINGER_MS = 5;
/** As many go to the disk at once: a crowd need not wait for more. */
const CROWD = 64;
const LINE_FEED = "\n";

interface Put {
  readonly record: LogRecord;
  /** Place in the order in which entries were made. */
  readonly place: number;
  readonly settle: (error: EtcdError | undefined) => void;
}

export class EntryLog implements AsyncDisposable {
  readonly #directory: StoreDirectory;
  readonly #options: EntryLogOptions;
  /** Index of the last record that was put in line, on disk or not. */
  #lastIndex: number;
  #made = 0;
  /** Those that wait for others. */
  #lingering: Put[] = [];
  #lingeringBytes = 0;
  #linger: NodeJS.Timeout | undefined;
  /** What the disk refused. */
  #refused: Put[] = [];
  #last: Promise<void> = Promise.resolve();
  #bytesSinceSnapshot = 0;
  #snapshotting: Promise<void> | undefined;

  private constructor(directory: StoreDirectory, options: EntryLogOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#lastIndex = directory.log.lastIndex;
  }

  /**
   * Takes the folder and hands everything in it to the folds. A torn end is cut off. Throws KEEL-910 when another
   * process has it, KEEL-911 with the place when it is damaged, KEEL-912 when it cannot be read or made.
   */
  static async open(options: EntryLogOptions): Promise<EntryLog> {
    const { path, folds, segmentBytes = SEGMENT_BYTES, disk, retryMs } = options;
    const byKind = new Map(folds.map((fold) => [fold.kind, fold]));
    const foldOf = (kind: number, where: string): Fold => {
      const fold = byKind.get(kind);
      if (fold) return fold;
      throw new KeelError(
        "KEEL-911",
        `${path} has entries of kind ${kind} (${where}), which nobody here knows`,
      );
    };
    const opening: { log?: EntryLog; bytes: number } = { bytes: 0 };
    try {
      const directory = await StoreDirectory.open(
        {
          path,
          segmentBytes,
          randomId: () => randomBytes(8).readBigUInt64LE(),
          onFailure: (failure) => {
            if (opening.log !== undefined) opening.log.#onFailure(failure);
          },
          disk,
          retryMs,
        },
        {
          snapshot: (chunk) => foldOf(chunk[0] ?? 0, "in its snapshot").restore(chunk.toString("utf8", 1)),
          record: ({ kind, body }, index) => {
            const fold = foldOf(kind, `record ${index}`);
            opening.bytes += body.length;
            for (const entry of Buffer.from(body.buffer, body.byteOffset, body.length)
              .toString()
              .split(LINE_FEED))
              fold.apply(entry);
          },
        },
      );
      const log = new EntryLog(directory, options);
      log.#bytesSinceSnapshot = opening.bytes;
      opening.log = log;
      return log;
    } catch (error) {
      throw logFailure(error);
    }
  }

  /** Where a write was torn by a crash and cut off at the start, if one was. */
  get cutOff(): { readonly path: string; readonly offset: number } | undefined {
    return this.#directory.cutOff;
  }

  /** Why nothing can be written now. Look at it before entries are made: {@link append} refuses them then. */
  get failure(): KeelError | undefined {
    const { failure } = this.#directory.log;
    return failure && (logFailure(failure) as KeelError);
  }

  /** Whether entries are taken. */
  get isWritable(): boolean {
    return this.#directory.log.failure === undefined;
  }

  /** Bytes that wait for their write. */
  get waitingBytes(): number {
    return this.#directory.log.queuedBytes + this.#lingeringBytes;
  }

  /** Bytes on the disk, those prepared for what comes included. */
  get bytes(): number {
    return this.#directory.bytes;
  }

  /**
   * Writes entries that were made (and applied), all of one call or none. Resolves when they are on the disk. Rejects
   * with KEEL-912 when the disk refuses: they are written when it no longer does, but nobody may rely on them. Throws
   * KEEL-912 when {@link isWritable} is false: those were not taken, and should not have been made.
   */
  append(kind: number, entries: readonly string[]): Promise<void> {
    if (entries.length === 0) return this.settled();
    const { failure } = this.#directory.log;
    if (failure !== undefined) throw logFailure(failure);
    const body = Buffer.from(entries.length === 1 ? (entries[0] ?? "") : entries.join(LINE_FEED));
    const written = this.#promise((settle) => {
      this.#lingering.push({ record: { kind, body }, place: this.#made++, settle });
    });
    this.#lingeringBytes += body.length;
    this.#countTowardsSnapshot(body.length);
    if (this.#lingering.length >= CROWD) this.#handOver();
    else this.#linger ??= setTimeout(() => this.#handOver(), this.#options.lingerMs ?? LINGER_MS);
    return written;
  }

  /** Resolves when everything that was appended before is on the disk; rejects with KEEL-912 as its appends do. */
  settled(): Promise<void> {
    return this.#last;
  }

  /**
   * Writes the folds as they are now beside the log, and removes the segments that it replaces. Throws KEEL-912; the
   * log is as good as before then. One at a time: a second call waits for the first.
   */
  snapshot(): Promise<void> {
    this.#snapshotting ??= this.#writeSnapshot().finally(() => (this.#snapshotting = undefined));
    return this.#snapshotting;
  }

  async #writeSnapshot(): Promise<void> {
    const { failure } = this;
    if (failure) throw failure;
    this.#handOver();
    const index = this.#lastIndex;
    const states = this.#options.folds.map((fold) => ({ kind: fold.kind, parts: fold.snapshot() }));
    this.#bytesSinceSnapshot = 0;
    await this.settled();
    try {
      await this.#directory.snapshot(index, chunksOf(states));
    } catch (error) {
      throw logFailure(error);
    }
  }

  /** The promise of the latest entry. */
  #promise(make: (settle: Put["settle"]) => void): Promise<void> {
    this.#last = new Promise<void>((resolve, reject) => {
      make((error) => {
        if (error === undefined) resolve();
        else reject(logFailure(error) as Error);
      });
    });
    return this.#last;
  }

  /** Puts those that waited for others in line for the disk. */
  #handOver(): void {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    const puts = this.#lingering;
    this.#lingering = [];
    this.#lingeringBytes = 0;
    for (const put of puts) this.#put(put);
  }

  #put(put: Put): void {
    this.#lastIndex++;
    this.#directory.log.append(put.record, (error) => {
      // After the end there is no next time.
      if (error !== undefined && error.code !== "CLOSED") this.#refused.push(put);
      put.settle(error);
    });
  }

  #countTowardsSnapshot(bytes: number): void {
    const { snapshotBytes = SNAPSHOT_BYTES, onSnapshotFailure } = this.#options;
    this.#bytesSinceSnapshot += bytes;
    if (this.#bytesSinceSnapshot < snapshotBytes) return;
    this.#bytesSinceSnapshot = 0;
    // Not here: the decision that these entries are of may be half made.
    setImmediate(() => {
      this.snapshot().catch((error: unknown) => onSnapshotFailure?.(error));
    });
  }

  #onFailure(failure: EtcdError | undefined): void {
    // They are refused too, so that nothing comes between those that were and what is made afterwards.
    this.#handOver();
    if (failure === undefined) {
      const refused = this.#refused.toSorted((a, b) => a.place - b.place);
      this.#refused = [];
      this.#lastIndex = this.#directory.log.lastIndex;
      // Those who made them have long been told; a next failure comes to here again.
      for (const put of refused)
        this.#promise((settle) => this.#put({ ...put, settle })).catch(() => undefined);
      if (refused.length === 0) this.#last = Promise.resolve();
    }
    this.#options.onFailure?.(failure && (logFailure(failure) as KeelError));
  }

  /** Writes what waits, and gives the folder free. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#snapshotting?.catch(() => undefined);
    this.#handOver();
    await this.#directory[Symbol.asyncDispose]();
  }
}

/** Each part behind the number of its kind. */
function* chunksOf(
  states: readonly { readonly kind: number; readonly parts: Iterable<string> }[],
): Generator<Buffer> {
  for (const { kind, parts } of states)
    for (const part of parts) {
      const chunk = Buffer.allocUnsafe(1 + Buffer.byteLength(part));
      chunk[0] = kind;
      chunk.write(part, 1);
      yield chunk;
    }
}
