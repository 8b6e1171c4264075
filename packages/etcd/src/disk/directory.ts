// The data directory of a store:
//
//   lock              held while a process uses the directory
//   format.json       format of the directory, and the ids that the store keeps for ever
//   log/*.log         segments of the log
//   *.snapshot        the state at some index of the log; the newest one counts
//
// Recovery is: the newest snapshot, then the log's records behind it. A torn last frame is cut off; whatever else
// is not as it was written stops it, with the place, and changes nothing.

import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { EtcdError } from "../errors.ts";
import { Crc32c } from "./crc32c.ts";
import { damaged, errnoOf, ioError } from "./failure.ts";
import { DirectoryLock } from "./lock.ts";
import { Log, type LogOptions } from "./log.ts";
import { replay, type CutOff, type Recovery } from "./recovery.ts";
import { replaceFile, sequenceOf } from "./segment.ts";
import { listSnapshots, readSnapshot, writeSnapshot } from "./snapshot.ts";

const FORMAT = 1;

export interface DirectoryOptions {
  readonly path: string;
  readonly segmentBytes: number;
  /** A random unsigned integer of 64 bits. */
  readonly randomId: () => bigint;
  readonly onFailure: LogOptions["onFailure"];
}

interface Identity {
  readonly format: number;
  readonly cluster: string;
  readonly member: string;
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
  readonly #crc: Crc32c;
  #snapshotIndex: number;
  #snapshotBytes = 0;
  #closing: Promise<void> | undefined;

  private constructor(
    lock: DirectoryLock,
    options: DirectoryOptions,
    found: { log: Log; crc: Crc32c; identity: Identity; snapshotIndex: number; cutOff: CutOff | undefined },
  ) {
    this.#lock = lock;
    this.#path = options.path;
    this.#crc = found.crc;
    this.log = found.log;
    this.clusterId = BigInt(`0x${found.identity.cluster}`);
    this.memberId = BigInt(`0x${found.identity.member}`);
    this.cutOff = found.cutOff;
    this.#snapshotIndex = found.snapshotIndex;
  }

  /**
   * Takes the directory, making it if it is not there, and hands over everything in it. Throws STORE_IN_USE,
   * STORE_DAMAGED or STORE_IO.
   */
  static async open(options: DirectoryOptions, recovery: Recovery): Promise<StoreDirectory> {
    const logPath = join(options.path, "log");
    await mkdir(logPath, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
      throw ioError(options.path, "make", cause);
    });
    const lock = DirectoryLock.take(join(options.path, "lock"));
    try {
      const crc = new Crc32c();
      const identity = await identify(options);
      const snapshotIndex = await restoreSnapshot(options.path, recovery, crc);
      const replayed = await replay(logPath, recovery, { crc, snapshotIndex });
      const logOptions: LogOptions = {
        directory: logPath,
        segmentBytes: options.segmentBytes,
        crc,
        salt: () => Number(options.randomId() & 0xffffffffn),
        onFailure: options.onFailure,
      };
      const log = await Log.open(logOptions, replayed.segments, replayed.lastIndex);
      const { cutOff } = replayed;
      return new StoreDirectory(lock, options, { log, crc, identity, snapshotIndex, cutOff });
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
  }

  /** Index of the last record that the newest snapshot holds; 0 without one. */
  get snapshotIndex(): number {
    return this.#snapshotIndex;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.log.bytes + this.#snapshotBytes;
  }

  /** Writes a snapshot of the state at `index` and drops the log before it. Throws STORE_IO. */
  async snapshot(index: number, chunks: Iterable<Buffer>): Promise<void> {
    this.#snapshotBytes = await writeSnapshot(this.#path, index, { chunks, crc: this.#crc });
    this.#snapshotIndex = index;
    await this.log.dropThrough(index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.log.close().finally(() => this.#lock[Symbol.dispose]());
    await this.#closing;
  }
}

async function identify({ path, randomId }: DirectoryOptions): Promise<Identity> {
  const file = join(path, "format.json");
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    if (errnoOf(cause) === "ENOENT") return undefined;
    throw ioError(file, "read", cause);
  });
  if (text === undefined) {
    const names = (await readdir(join(path, "log"))).filter((name) => sequenceOf(name) !== undefined);
    if (names.length > 0 || (await listSnapshots(path)).length > 0) {
      throw damaged(file, 0, "it is missing, though the directory holds a store");
    }
    const identity = { format: FORMAT, cluster: randomId().toString(16), member: randomId().toString(16) };
    await replaceFile(file, `${JSON.stringify(identity)}\n`).catch((cause: unknown) => {
      throw ioError(file, "write", cause);
    });
    return identity;
  }
  const identity = parseIdentity(text);
  if (identity === undefined) throw damaged(file, 0, "it is not what this store writes");
  if (identity.format !== FORMAT) {
    throw new EtcdError(
      "STORE_IO",
      `${path} has format ${identity.format}, this version reads ${FORMAT}. Start it with the version that wrote it.`,
    );
  }
  return identity;
}

function parseIdentity(text: string): Identity | undefined {
  try {
    const { format, cluster, member } = JSON.parse(text) as Partial<Identity>;
    const isId = (id: unknown): id is string => typeof id === "string" && /^[0-9a-f]{1,16}$/.test(id);
    if (typeof format !== "number") return undefined;
    // A later format may keep its ids elsewhere; it is refused by its number.
    if (format !== FORMAT) return { format, cluster: "", member: "" };
    return isId(cluster) && isId(member) ? { format, cluster, member } : undefined;
  } catch {
    return undefined;
  }
}

async function restoreSnapshot(path: string, recovery: Recovery, crc: Crc32c): Promise<number> {
  const [newest] = await listSnapshots(path);
  if (newest === undefined) return 0;
  for (const chunk of await readSnapshot(newest, crc)) recovery.snapshot(chunk);
  return newest.index;
}
