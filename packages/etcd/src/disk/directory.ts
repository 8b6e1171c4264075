// The data directory of a store:
//
//   lock              held while a process uses the directory
//   format.json       format of the directory, and the ids that the store keeps for ever
//   log/*.log         segments of the log; they may lie in a directory of their own, with a format.json of its own
//   *.snapshot        the state at some index of the log; the newest one counts
//
// Recovery is: the newest snapshot, then the log's records behind it. A torn last frame is cut off; whatever else
// is not as it was written stops it, with the place, and changes nothing.

import { join } from "node:path";
import { setImmediate as pause } from "node:timers/promises";
import { Crc32c } from "./crc32c.ts";
import { giveBack, systemDisk, type Disk } from "./disk.ts";
import { ioError } from "./failure.ts";
import { readIdentity, writeIdentity, type Identity, type Place } from "./identity.ts";
import { DirectoryLock } from "./lock.ts";
import { Log, type LogOptions } from "./log.ts";
import { cutOffOf, mendLog, scanLog, type CutOff, type Recovery } from "./recovery.ts";
import type { Medium } from "./segment.ts";
import { listSnapshots, readSnapshot, writeSnapshot } from "./snapshot.ts";

export interface DirectoryOptions extends Pick<LogOptions, "onFailure" | "onWritten" | "retryMs"> {
  readonly path: string;
  /** Where the log lies, if not in the directory itself. */
  readonly logPath?: string | undefined;
  readonly segmentBytes: number;
  /** A random unsigned integer of 64 bits. */
  readonly randomId: () => bigint;
  readonly disk?: Disk | undefined;
}

/** What a directory was found to hold. */
interface Found {
  readonly log: Log;
  readonly identity: Identity;
  readonly snapshot: Snapshot;
  readonly cutOff: CutOff | undefined;
}

/** The snapshot that counts; index and bytes are 0 without one. */
interface Snapshot {
  readonly index: number;
  readonly bytes: number;
}

export class StoreDirectory implements AsyncDisposable {
  readonly log: Log;
  /** Ids made when the directory was. */
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** What recovery cut off, if the last write was torn. */
  readonly cutOff: CutOff | undefined;
  readonly #path: string;
  readonly #lock: DirectoryLock;
  readonly #medium: Medium;
  #snapshot: Snapshot;
  #closing: Promise<void> | undefined;

  private constructor(path: string, held: { lock: DirectoryLock; medium: Medium }, found: Found) {
    this.#lock = held.lock;
    this.#path = path;
    this.#medium = held.medium;
    this.log = found.log;
    this.clusterId = BigInt(`0x${found.identity.cluster}`);
    this.memberId = BigInt(`0x${found.identity.member}`);
    this.cutOff = found.cutOff;
    this.#snapshot = found.snapshot;
  }

  /**
   * Takes the directory, making it if it is not there, and hands over everything in it. Throws STORE_IN_USE,
   * STORE_DAMAGED or STORE_IO.
   */
  static async open(options: DirectoryOptions, recovery: Recovery): Promise<StoreDirectory> {
    const { path, logPath = join(path, "log"), disk = systemDisk } = options;
    for (const directory of [path, logPath]) {
      await disk.makeDirectory(directory).catch((cause: unknown) => {
        throw ioError(directory, "make", cause);
      });
    }
    const lock = DirectoryLock.take(join(path, "lock"));
    try {
      const medium: Medium = { disk, crc: new Crc32c() };
      const found = await recover({ ...options, path, logPath, disk }, recovery, medium);
      return new StoreDirectory(path, { lock, medium }, found);
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
  }

  /** Index of the last record that the newest snapshot holds; 0 without one. */
  get snapshotIndex(): number {
    return this.#snapshot.index;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.log.bytes + this.#snapshot.bytes;
  }

  /** Writes a snapshot of the state at `index` and drops the log before it. Throws STORE_IO. */
  async snapshot(index: number, chunks: Iterable<Buffer>): Promise<void> {
    const bytes = await writeSnapshot(this.#path, index, { chunks, ...this.#medium });
    this.#snapshot = { index, bytes };
    await this.log.dropThrough(index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.log.close().finally(() => this.#lock[Symbol.dispose]());
    await this.#closing;
  }
}

async function recover(
  options: DirectoryOptions & Place,
  recovery: Recovery,
  medium: Medium,
): Promise<Found> {
  const { logPath, segmentBytes, randomId, onFailure, onWritten, retryMs } = options;
  const id = (): string => randomId().toString(16);
  const identity =
    (await readIdentity(options)) ?? (await writeIdentity(options, { cluster: id(), member: id() }));
  // What is found may have its name in the system's cache only.
  await medium.disk.syncDirectory(options.path).catch((cause: unknown) => {
    throw ioError(options.path, "sync", cause);
  });
  const snapshot = await restoreSnapshot(options.path, recovery, medium);
  const scanned = await scanLog(logPath, recovery, { ...medium, snapshotIndex: snapshot.index });
  await mendLog(logPath, scanned, medium);
  const salt = (): number => Number(randomId() & 0xffffffffn);
  const log = await Log.open(
    { ...medium, directory: logPath, segmentBytes, salt, onFailure, onWritten, retryMs },
    scanned.segments,
    scanned.lastIndex,
  );
  return { log, identity, snapshot, cutOff: cutOffOf(scanned) };
}

async function restoreSnapshot(path: string, recovery: Recovery, medium: Medium): Promise<Snapshot> {
  const [newest] = await listSnapshots(path, medium.disk);
  if (newest === undefined) return { index: 0, bytes: 0 };
  let bytes = 0;
  const content = await readSnapshot(newest, medium);
  for (const chunk of content.chunks) {
    bytes += chunk.length;
    recovery.snapshot(chunk);
    // The process may serve another store meanwhile.
    await pause();
  }
  giveBack(content.bytes);
  return { index: newest.index, bytes };
}
