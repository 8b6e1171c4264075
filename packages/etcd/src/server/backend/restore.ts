// From a snapshot file to a data directory of this server.

import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { readdir, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { setImmediate as pause } from "node:timers/promises";
import { BoltReader, type FileBytes } from "../../bolt/reader.ts";
import { StoreDirectory } from "../../disk/directory.ts";
import { systemDisk } from "../../disk/disk.ts";
import { errnoOf, ioError } from "../../disk/failure.ts";
import { EtcdError } from "../../errors.ts";
import { snapshotChunks } from "../state-snapshot.ts";
import type { StoreState } from "../state.ts";
import { stateOf } from "./restore-state.ts";

const DIGEST_BYTES = 32;
const READ_BYTES = 1 << 20;
const SEGMENT_BYTES = 16 << 20;

export interface RestoreOptions {
  /** A snapshot of this server or of a real etcd, as `etcdctl snapshot save` writes it. */
  readonly file: string;
  /** Where the store is to be. Must not exist, or be empty. */
  readonly dataDir: string;
  /** Take a file without a digest, such as `member/snap/db` of an etcd that is stopped. */
  readonly skipHashCheck?: boolean;
  /** Uniform in [0, 1), for the ids of the new store. */
  readonly random?: () => number;
}

export interface Restored {
  readonly revision: number;
  /** The oldest revision that can be read; -1 if nothing was compacted. */
  readonly compactRevision: number;
  readonly keys: number;
  readonly leases: number;
}

/**
 * Makes a data directory of a snapshot: the same keys with their history and revisions, leases and alarms, as a
 * new cluster with ids of its own. The directory is there as a whole, or not at all. Throws STORE_DAMAGED for a
 * file that is not what it should be, STORE_IO, STORE_IN_USE, and INVALID_ARGUMENT for a directory that holds
 * something.
 */
export async function restoreSnapshot(options: RestoreOptions): Promise<Restored> {
  const { file, dataDir, skipHashCheck = false } = options;
  await checkVacant(dataDir);
  const fd = openFile(file);
  let state: StoreState;
  try {
    state = await readState(fd, { file, skipHashCheck });
  } finally {
    closeSync(fd);
  }
  await writeDirectory(state, options);
  const { revision, compactRevision, liveKeys: keys, leases } = state.keyspace;
  return { revision, compactRevision, keys, leases: leases.size };
}

async function checkVacant(dataDir: string): Promise<void> {
  const names = await readdir(dataDir).catch((cause: unknown) => {
    if (errnoOf(cause) === "ENOENT") return [];
    throw ioError(dataDir, "read", cause);
  });
  if (names.length === 0) return;
  throw new EtcdError(
    "INVALID_ARGUMENT",
    `${dataDir} is not empty: a snapshot is restored into a new directory`,
  );
}

function openFile(file: string): number {
  try {
    return openSync(file, "r");
  } catch (cause) {
    throw ioError(file, "open", cause);
  }
}

async function readState(
  fd: number,
  { file, skipHashCheck }: { readonly file: string; readonly skipHashCheck: boolean },
): Promise<StoreState> {
  const { size } = fstatSync(fd);
  // Pages are a multiple of 512 bytes, so what is over is the digest.
  const hasDigest = size % 512 === DIGEST_BYTES;
  const pages = hasDigest ? size - DIGEST_BYTES : size;
  if (!skipHashCheck) {
    if (!hasDigest) throw damaged(file, "it has no digest at its end; it can be restored without the check");
    await checkDigest(fd, file, pages);
  }
  const bytes: FileBytes = { size: pages, read: (offset, length) => readAt(fd, { file, offset, length }) };
  try {
    const reading = stateOf(new BoltReader(bytes));
    for (;;) {
      const step = reading.next();
      if (step.done === true) return step.value;
      await pause();
    }
  } catch (error) {
    if (error instanceof EtcdError && error.code === "STORE_DAMAGED") throw damaged(file, error.message);
    throw error;
  }
}

async function checkDigest(fd: number, file: string, size: number): Promise<void> {
  const hash = createHash("sha256");
  for (let offset = 0; offset < size; offset += READ_BYTES) {
    hash.update(readAt(fd, { file, offset, length: Math.min(READ_BYTES, size - offset) }));
    await pause();
  }
  const expected = readAt(fd, { file, offset: size, length: DIGEST_BYTES });
  if (!hash.digest().equals(expected)) throw damaged(file, "its SHA-256 is not the one at its end");
}

function readAt(
  fd: number,
  { file, offset, length }: { readonly file: string; readonly offset: number; readonly length: number },
): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length;) {
    let count = 0;
    try {
      count = readSync(fd, bytes, filled, length - filled, offset + filled);
    } catch (cause) {
      throw ioError(file, "read", cause);
    }
    if (count === 0) throw damaged(file, `it ends at byte ${offset + filled}`);
    filled += count;
  }
  return bytes;
}

/** Writes beside the directory first, so that nobody ever starts on half of a store. */
async function writeDirectory(
  state: StoreState,
  { dataDir, random = Math.random }: RestoreOptions,
): Promise<void> {
  const unfinished = `${dataDir.replace(/\/+$/, "")}.restoring`;
  const part = (): bigint => BigInt(Math.floor(random() * 2 ** 32));
  const randomId = (): bigint => (part() << 32n) | part();
  try {
    await rm(unfinished, { recursive: true, force: true });
    const directory = await StoreDirectory.open(
      { path: unfinished, segmentBytes: SEGMENT_BYTES, randomId, onFailure: () => undefined },
      { snapshot: () => undefined, record: () => undefined },
    );
    try {
      await directory.snapshot(1, snapshotChunks(state));
    } finally {
      await directory[Symbol.asyncDispose]();
    }
    await rename(unfinished, dataDir);
    await systemDisk.syncDirectory(dirname(resolve(dataDir)));
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true }).catch(() => undefined);
    if (error instanceof EtcdError) throw error;
    throw ioError(dataDir, "write", error);
  }
}

function damaged(file: string, what: string): EtcdError {
  return new EtcdError("STORE_DAMAGED", `${file}: ${what}`);
}
