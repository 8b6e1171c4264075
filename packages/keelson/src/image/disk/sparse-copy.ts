// Copies disks without writing what is zero.
import type { FileHandle } from "node:fs/promises";

export const chunkBytes = 1 << 20;
const grainBytes = 64 << 10;
const zeros = Buffer.alloc(grainBytes);

export interface CopyOptions {
  /** Where the bytes begin, and how many there are. */
  readonly from?: number;
  readonly length: number;
  /** Where they go to. */
  readonly to?: number;
  /** Write zeros as well: the target holds something else. */
  readonly whole?: boolean;
  /** Called with the bytes that are done. */
  readonly onBytes?: (done: number) => void;
  /** Called with every chunk in order, zeros too. */
  readonly onChunk?: (chunk: Buffer) => void;
  readonly signal?: AbortSignal;
}

/** Copies a range; runs of zeros are left out. Throws when the source ends early. */
export async function copySparse(
  source: FileHandle,
  target: FileHandle,
  options: CopyOptions,
): Promise<void> {
  const { from = 0, to = 0, length } = options;
  const buffer = Buffer.allocUnsafe(chunkBytes);
  for (let done = 0; done < length;) {
    options.signal?.throwIfAborted();
    const chunk = buffer.subarray(0, Math.min(chunkBytes, length - done));
    await readFully(source, chunk, from + done);
    options.onChunk?.(chunk);
    if (options.whole === true) await writeFully(target, chunk, to + done);
    else {
      for (const [start, end] of dataRuns(chunk)) {
        await writeFully(target, chunk.subarray(start, end), to + done + start);
      }
    }
    done += chunk.length;
    options.onBytes?.(done);
  }
}

/** The parts of a chunk that are not all zero, in grains of 64 KiB. */
export function* dataRuns(chunk: Buffer): Generator<readonly [number, number]> {
  let start = -1;
  for (let at = 0; at < chunk.length; at += grainBytes) {
    const end = Math.min(chunk.length, at + grainBytes);
    const isZero = chunk.compare(zeros, 0, end - at, at, end) === 0;
    if (!isZero && start < 0) start = at;
    if (isZero && start >= 0) {
      yield [start, at];
      start = -1;
    }
  }
  if (start >= 0) yield [start, chunk.length];
}

/** Fills the buffer from a place in the file. Throws when the file ends before. */
export async function readFully(file: FileHandle, buffer: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < buffer.length;) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) throw new RangeError(`it ends at ${position + done} bytes`);
    done += bytesRead;
  }
}

/** Writes all of the buffer. */
export async function writeFully(file: FileHandle, buffer: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < buffer.length;) {
    const { bytesWritten } = await file.write(buffer, done, buffer.length - done, position + done);
    done += bytesWritten;
  }
}
