// What the store asks of the system's files, and nothing more: so few calls that a test can put a disk in their
// place that fails, tears and forgets as real ones do.

import { constants, close, fsync, open, write } from "node:fs";
import { mkdir, readdir, readFile, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";

/** An open file. */
export interface DiskFile {
  /** Writes some of `bytes` and tells how many. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** Makes what was written durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Every call rejects with the system's error, which has its errno's name as `code`. */
export interface Disk {
  /** Makes a file, empty if it was there. Only its owner may read it. */
  create(path: string): Promise<DiskFile>;
  /** Opens a file such that what a write reports as written is durable (O_DSYNC). */
  openDurable(path: string): Promise<DiskFile>;
  read(path: string): Promise<Buffer>;
  /** Names in a directory. */
  list(path: string): Promise<readonly string[]>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes a directory, and those above it. */
  makeDirectory(path: string): Promise<void>;
  /** Makes the names in a directory durable: files created, renamed and removed. */
  syncDirectory(path: string): Promise<void>;
}

const openFile = promisify(open);
const closeFile = promisify(close);
const syncFile = promisify(fsync);

/** The files of this machine. */
export const systemDisk: Disk = {
  create: async (path) => new SystemFile(await openFile(path, "w", 0o600)),
  openDurable: async (path) => new SystemFile(await openFile(path, constants.O_RDWR | constants.O_DSYNC)),
  read: (path) => readFile(path),
  list: (path) => readdir(path),
  rename,
  remove: unlink,
  makeDirectory: async (path) => void (await mkdir(path, { recursive: true, mode: 0o700 })),
  syncDirectory: async (path) => {
    const file = new SystemFile(await openFile(path, "r"));
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  },
};

class SystemFile implements DiskFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(bytes: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.#descriptor, bytes, 0, bytes.length, position, (error, written) => {
        if (error === null) resolve(written);
        else reject(error);
      });
    });
  }

  sync(): Promise<void> {
    return syncFile(this.#descriptor);
  }

  close(): Promise<void> {
    return closeFile(this.#descriptor);
  }
}

/** Writes all of `bytes`, going on after short writes. */
export async function writeFully(file: DiskFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const written = await file.write(done === 0 ? bytes : bytes.subarray(done), position + done);
    if (written === 0) throw new Error("the system wrote nothing");
    done += written;
  }
}

/** Makes or replaces a file so that after a crash either the old or the new content is there. */
export async function replaceFile(
  disk: Disk,
  path: string,
  fill: (file: DiskFile) => Promise<void>,
): Promise<void> {
  const unfinished = `${path}.new`;
  try {
    const file = await disk.create(unfinished);
    try {
      await fill(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.rename(unfinished, path);
    await disk.syncDirectory(dirname(path));
  } catch (error) {
    await disk.remove(unfinished).catch(() => undefined);
    throw error;
  }
}

/**
 * Frees a large file that was read, now and not when the collector comes to it: a start reads as much as the store
 * holds. Nobody may look at `bytes` or a part of them after that.
 */
export function giveBack({ buffer, length }: Buffer): void {
  // Small ones share their memory with others.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length && length > 1 << 16) buffer.transfer(0);
}
