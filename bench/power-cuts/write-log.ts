// What a virtual disk was told, in order, as QEMU's `blklogwrites` keeps it: the format of Linux's dm-log-writes
// (Documentation/admin-guide/device-mapper/log-writes.rst). A superblock, then for each request a header of one
// sector, followed by the data of a write.
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

const magic = 0x6a_736677_736872n;
const flags = { flush: 1n, discard: 4n } as const;
/** More than any machine here writes. */
const mostEntries = 10_000_000;

export interface LoggedWrite {
  /** On the disk, in bytes. */
  readonly at: number;
  readonly length: number;
  /** Where its bytes are in the log. */
  readonly from: number;
  /** All that came before it is on the disk once this is told. */
  readonly isFlush: boolean;
}

export class WriteLog implements AsyncDisposable {
  readonly entries: readonly LoggedWrite[];
  readonly #file: FileHandle;

  private constructor(file: FileHandle, entries: readonly LoggedWrite[]) {
    this.#file = file;
    this.entries = entries;
  }

  /** Throws when the file is not such a log. What is after the last whole entry does not count. */
  static async open(path: string): Promise<WriteLog> {
    const file = await open(path, "r");
    try {
      return new WriteLog(file, await readEntries(file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The first `length` bytes of an entry's data. */
  async data({ from }: LoggedWrite, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await this.#file.read(bytes, 0, length, from);
    if (bytesRead !== length) throw new Error("the log of writes ends within an entry");
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

async function readEntries(file: FileHandle): Promise<readonly LoggedWrite[]> {
  const { size } = await file.stat();
  const head = Buffer.alloc(28);
  await file.read(head, 0, head.length, 0);
  if (head.readBigUInt64LE(0) !== magic) throw new Error("this is not a log of writes");
  const sector = head.readUInt32LE(24);
  const entries: LoggedWrite[] = [];
  const header = Buffer.alloc(32);
  for (let at = sector; at + sector <= size && entries.length < mostEntries;) {
    await file.read(header, 0, header.length, at);
    const word = (index: number): bigint => header.readBigUInt64LE(index * 8);
    const length = Number(word(1)) * sector;
    const isFlush = (word(2) & flags.flush) !== 0n;
    if (length === 0 && !isFlush) break;
    const hasData = (word(2) & flags.discard) === 0n;
    const from = at + sector;
    at = from + (hasData ? length : 0);
    if (at > size) break;
    entries.push({ at: Number(word(0)) * sector, length: hasData ? length : 0, from, isFlush });
  }
  return entries;
}
