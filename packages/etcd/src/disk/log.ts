// The log: every change of the store, in order, on disk before anything of it can be seen. Records that arrive
// while a write is under way share the next one (group commit). One write is under way at a time, so only the
// last frame of the last used segment can be torn.

import { EtcdError } from "../errors.ts";
import { writeFully, type DiskFile } from "./disk.ts";
import { ioError } from "./failure.ts";
import { alignFrame, FRAME_HEADER_BYTES, recordBytes, writeFrame, type LogRecord } from "./frame.ts";
import {
  createSegment,
  SEGMENT_HEADER_BYTES,
  segmentPath,
  type Medium,
  type SegmentHeader,
} from "./segment.ts";

/** A segment of the log as it stands. */
export interface SegmentState extends SegmentHeader {
  readonly size: number;
  /** Where the next frame goes. */
  end: number;
  /** Index of its last record; undefined while it has none. */
  lastIndex: number | undefined;
}

export interface LogOptions extends Medium {
  readonly directory: string;
  /** Bytes of a segment; one that must hold a larger frame is larger. */
  readonly segmentBytes: number;
  /** Picks the salt of a new segment, a 32-bit number. */
  readonly salt: () => number;
  /** Writing began to fail, or works again (undefined). */
  readonly onFailure: (failure: EtcdError | undefined) => void;
  /** A write to the disk took so long, in milliseconds. */
  readonly onWritten?: ((milliseconds: number) => void) | undefined;
  /** Milliseconds after which a disk that failed is tried again. */
  readonly retryMs?: number | undefined;
}

/** Called when a record is on disk, or with why it is not. */
export type Written = (error: EtcdError | undefined, index: number) => void;

interface Waiting {
  readonly record: LogRecord;
  readonly done: Written;
}

/** Most bytes of one write: those that wait behind a large one wait longer. */
const MOST_BATCH_BYTES = 1 << 20;
const RETRY_MS = 1000;

export class Log {
  readonly #options: LogOptions;
  /** Full segments, oldest first, then the one that is written to. */
  readonly #segments: SegmentState[];
  #prepared: SegmentState | undefined;
  #preparing: Promise<void> | undefined;
  #file: DiskFile;
  #lastIndex: number;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #scheduled = false;
  #writing: Promise<void> | undefined;
  #buffer = Buffer.allocUnsafe(1 << 16);
  #failure: EtcdError | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(
    options: LogOptions,
    segments: readonly SegmentState[],
    place: { file: DiskFile; lastIndex: number },
  ) {
    this.#options = options;
    const [last, before] = [segments.at(-1), segments.at(-2)];
    const hasSpare = last?.lastIndex === undefined && before !== undefined;
    this.#segments = hasSpare ? segments.slice(0, -1) : [...segments];
    this.#prepared = hasSpare ? last : undefined;
    this.#file = place.file;
    this.#lastIndex = place.lastIndex;
  }

  /**
   * Opens the log behind what recovery found: its segments, oldest first (none in a new store; the last may be a
   * prepared one without records), and the index of the last record. Throws STORE_IO.
   */
  static async open(options: LogOptions, segments: readonly SegmentState[], lastIndex: number): Promise<Log> {
    const found = segments.length > 0 ? segments : [await addSegment(options, 1, options.segmentBytes)];
    const last = found.at(-1) as SegmentState;
    const current = last.lastIndex === undefined ? (found.at(-2) ?? last) : last;
    const path = segmentPath(options.directory, current.sequence);
    const file = await openSegment(options, path);
    return new Log(options, found, { file, lastIndex });
  }

  /** Index of the last record that is on disk. */
  get lastIndex(): number {
    return this.#lastIndex;
  }

  /** Bytes on disk, prepared space included. */
  get bytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, this.#prepared?.size ?? 0);
  }

  /** Bytes of the records that wait for their write. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Why nothing can be written now. */
  get failure(): EtcdError | undefined {
    return this.#failure;
  }

  /**
   * Puts a record in line; `done` is called in order. Its error is STORE_IO if the record was never written,
   * AMBIGUOUS if a write of it failed half way, CLOSED after {@link close}.
   */
  append(record: LogRecord, done: Written): void {
    if (this.#closed) return done(new EtcdError("CLOSED", "the store is closed"), 0);
    if (this.#failure !== undefined) return done(this.#failure, 0);
    this.#queue.push({ record, done });
    this.#queuedBytes += recordBytes(record);
    if (this.#scheduled || this.#writing !== undefined) return;
    this.#scheduled = true;
    // Everything that the event loop has taken in by then goes into the same write.
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** Removes the segments whose records are all at or before `index`: a snapshot holds them. */
  async dropThrough(index: number): Promise<void> {
    const { directory, disk } = this.#options;
    let removed = false;
    while (this.#segments.length > 1 && (this.#segments[0]?.lastIndex ?? Infinity) <= index) {
      const oldest = this.#segments[0] as SegmentState;
      await disk.remove(segmentPath(directory, oldest.sequence));
      this.#segments.shift();
      removed = true;
    }
    if (removed) await disk.syncDirectory(directory);
  }

  /** Writes what waits and closes the file. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#pump();
    while (this.#writing !== undefined) await this.#writing;
    await this.#preparing;
    await this.#file.close();
  }

  #pump(): void {
    if (this.#writing !== undefined || this.#queue.length === 0) return;
    const batch = this.#takeBatch();
    this.#writing = this.#write(batch).then((error) => {
      this.#writing = undefined;
      const first = this.#lastIndex + 1;
      if (error === undefined) this.#lastIndex += batch.length;
      else this.#fail(error);
      // The next write goes to the disk while this batch is applied.
      this.#pump();
      batch.forEach(({ done }, place) => done(error, first + place));
      return undefined;
    });
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { record } of this.#queue) {
      if (count > 0 && bytes + recordBytes(record) > MOST_BATCH_BYTES) break;
      bytes += recordBytes(record);
      count++;
    }
    this.#queuedBytes -= bytes;
    const rest = this.#queue.slice(count);
    const batch = rest.length === 0 ? this.#queue : this.#queue.slice(0, count);
    this.#queue = rest;
    return batch;
  }

  async #write(batch: readonly Waiting[]): Promise<EtcdError | undefined> {
    const records = batch.map(({ record }) => record);
    const length = alignFrame(records.reduce((sum, record) => sum + recordBytes(record), FRAME_HEADER_BYTES));
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(length * 2);
    let segment = this.#current;
    if (segment.end + length > segment.size) {
      const error = await this.#advance(length);
      if (error !== undefined) return error;
      segment = this.#current;
    }
    const index = this.#lastIndex + 1;
    writeFrame(this.#buffer, { index, records }, { crc: this.#options.crc, salt: segment.salt });
    const began = performance.now();
    try {
      await writeFully(this.#file, this.#buffer.subarray(0, length), segment.end);
    } catch (cause) {
      return this.#halfWritten(segment, length, cause);
    }
    this.#options.onWritten?.(performance.now() - began);
    segment.end += length;
    segment.lastIndex = this.#lastIndex + batch.length;
    if (segment.end > segment.size / 2) this.#prepare(this.#options.segmentBytes);
    return undefined;
  }

  get #current(): SegmentState {
    return this.#segments.at(-1) as SegmentState;
  }

  /** Goes on to the next segment, which must have room for `length` bytes. */
  async #advance(length: number): Promise<EtcdError | undefined> {
    try {
      const size = Math.max(this.#options.segmentBytes, SEGMENT_HEADER_BYTES + length);
      await this.#preparing;
      if ((this.#prepared?.size ?? 0) < size) await this.#makeNext(size);
      const next = this.#prepared as SegmentState;
      const file = await openSegment(this.#options, segmentPath(this.#options.directory, next.sequence));
      const full = this.#file;
      this.#file = file;
      this.#segments.push(next);
      this.#prepared = undefined;
      // Everything in it is on disk: how it closes tells nothing.
      await full.close().catch(() => undefined);
      return undefined;
    } catch (error) {
      this.#retryWith(async () => {
        if (this.#prepared === undefined) await this.#makeNext(this.#options.segmentBytes);
      });
      return error instanceof EtcdError ? error : ioError(this.#options.directory, "prepare space in", error);
    }
  }

  #prepare(size: number): void {
    if (this.#prepared !== undefined || this.#preparing !== undefined) return;
    // A failure shows when the segment is needed.
    this.#preparing = this.#makeNext(size)
      .catch(() => undefined)
      .finally(() => (this.#preparing = undefined));
  }

  async #makeNext(size: number): Promise<void> {
    const { directory, disk } = this.#options;
    const sequence = this.#current.sequence + 1;
    if (this.#prepared !== undefined) await disk.remove(segmentPath(directory, this.#prepared.sequence));
    this.#prepared = undefined;
    this.#prepared = await addSegment(this.#options, sequence, size);
  }

  /** Some of a frame may be on disk. Once zeros can be written over it, the log goes on from there. */
  #halfWritten(segment: SegmentState, length: number, cause: unknown): EtcdError {
    const path = segmentPath(this.#options.directory, segment.sequence);
    this.#retryWith(() => writeFully(this.#file, Buffer.alloc(length), segment.end));
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new EtcdError("AMBIGUOUS", `writing to ${path} failed half way: ${reason}`, { cause });
  }

  #fail(error: EtcdError): void {
    const path = this.#options.directory;
    const failure =
      error.code === "STORE_IO" ? error : ioError(path, "write the log in", error.cause ?? error);
    this.#failure = failure;
    this.#options.onFailure(failure);
    const waiting = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { done } of waiting) done(failure, 0);
  }

  #retryWith(recover: () => Promise<void>): void {
    this.#retry = setTimeout(() => {
      recover().then(
        () => {
          this.#failure = undefined;
          this.#options.onFailure(undefined);
        },
        () => {
          if (!this.#closed) this.#retryWith(recover);
        },
      );
    }, this.#options.retryMs ?? RETRY_MS);
    this.#retry.unref();
  }
}

async function addSegment(options: LogOptions, sequence: number, size: number): Promise<SegmentState> {
  const { directory, disk, crc } = options;
  const salt = options.salt();
  await createSegment(directory, { sequence, salt }, { size, disk, crc });
  return { sequence, salt, size, end: SEGMENT_HEADER_BYTES, lastIndex: undefined };
}

async function openSegment({ disk }: LogOptions, path: string): Promise<DiskFile> {
  try {
    return await disk.openDurable(path);
  } catch (cause) {
    throw ioError(path, "open", cause);
  }
}
