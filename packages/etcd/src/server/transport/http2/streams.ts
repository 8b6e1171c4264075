// The streams of a connection: which there are, and what the frames that are for one of them do (RFC 9113, 5.1). Called
// by the connection, which has read the frames and checked their form.

import type { Allowance } from "./allowance.ts";
import { Deferred } from "./deferred.ts";
import { unpadded, type Frame } from "./frame-reader.ts";
import type { HeaderBlock, HeaderBlocks } from "./header-blocks.ts";
import type { ConnectionLimits } from "./limits.ts";
import type { Outbox } from "./outbox.ts";
import { ConnectionError, DEFAULT_WINDOW, ERROR, FLAG, frame, KIND, MOST_WINDOW, word } from "./protocol.ts";
import type { RequestHead } from "./request-head.ts";
import { Stream, type StreamHome } from "./stream.ts";

/** What the client may send on the connection, and on each stream, before it is told to go on. */
export const WINDOW_BYTES: number = 4 << 20;
/** Data after which it is told. */
const TOLD_BYTES = WINDOW_BYTES / 2;
const NOTHING = Buffer.alloc(0);

export interface StreamsOptions {
  readonly limits: ConnectionLimits;
  readonly outbox: Outbox;
  readonly blocks: HeaderBlocks;
  /** Streams that may be given up before their answer. */
  readonly resets: Allowance;
  /** Counts a frame that asks for nothing; throws when there are too many. */
  readonly countIdle: () => void;
  /** A frame with an answer was sent. */
  readonly sent: () => void;
  /** The last stream is over. */
  readonly idle: () => void;
  /**
   * Takes a request. `body` is everything that the client sends with it, if that is known already; otherwise the
   * stream's receiver gets it.
   */
  readonly request: (stream: Stream, head: RequestHead, body: Buffer | undefined) => void;
}

export class Streams implements StreamHome {
  readonly outbox: Outbox;
  readonly behind = new Set<Stream>();
  readonly #options: StreamsOptions;
  readonly #open = new Map<number, Stream>();
  readonly #deferred: Deferred;
  /** Requests whose stream is over, but that are still worked on. */
  lingering = 0;
  /** Number of the client's last stream. */
  last = 0;
  /** Requests that come from now on are not answered. */
  isShut = false;
  #receiveWindow = WINDOW_BYTES;
  #initialWindow = DEFAULT_WINDOW;

  constructor(options: StreamsOptions) {
    this.#options = options;
    this.outbox = options.outbox;
    this.#deferred = new Deferred(() => this.outbox.waiting <= options.limits.waitingBytes);
  }

  get size(): number {
    return this.#open.size;
  }

  sent(): void {
    this.#options.sent();
  }

  closed(stream: Stream): void {
    this.#open.delete(stream.id);
    this.#deferred.freed();
    if (this.#open.size === 0) this.#options.idle();
  }

  /** A block of headers: of a new request, or the trailers of one. */
  headers({ stream: id, isLast, bytes }: HeaderBlock, body: Buffer | undefined, now: number): void {
    if (body !== undefined) this.#consume(body.length);
    if (id <= this.last) return this.#trailers(id, isLast, bytes);
    this.last = id;
    const head = this.#options.blocks.head(bytes);
    if (this.isShut) return;
    const stream = new Stream(id, this, { send: this.#initialWindow, receive: WINDOW_BYTES, now });
    const refusal = typeof head === "string" ? HEAD_ERRORS[head] : this.#refusal();
    if (refusal !== undefined || typeof head === "string") return stream.reset(refusal ?? ERROR.protocol);
    const isWhole = isLast || body !== undefined;
    stream.isRemoteClosed = isWhole;
    const whole = isWhole ? (body ?? NOTHING) : undefined;
    const begin = (all: Buffer | undefined): void => this.#options.request(stream, head, all);
    if (this.#deferred.isNeeded) this.#deferred.put({ stream, begin, bytes: bytes.length, body: whole });
    else begin(whole);
    if (!stream.isOver) this.#open.set(id, stream);
  }

  data(next: Frame): void {
    const bytes = unpadded(next);
    const isLast = (next.flags & FLAG.endStream) !== 0;
    this.#consume(next.payload.length);
    if (bytes.length === 0 && !isLast) this.#options.countIdle();
    const stream = this.#find(next.stream);
    if (stream === undefined) return this.#options.countIdle();
    if (stream.isRemoteClosed) return stream.reset(ERROR.streamClosed);
    stream.receiveWindow -= next.payload.length;
    if (stream.receiveWindow < 0) return stream.reset(ERROR.flowControl);
    // Before the data is looked at: an answer to it needs not end what has ended.
    stream.isRemoteClosed = isLast;
    if (bytes.length > 0) stream.receiver?.data(bytes);
    if (stream.isOver) return;
    if (isLast) return stream.closeRemote();
    if (stream.receiveWindow > WINDOW_BYTES - TOLD_BYTES) return;
    this.outbox.push(windowUpdate(stream.id, WINDOW_BYTES - stream.receiveWindow));
    stream.receiveWindow = WINDOW_BYTES;
  }

  /** The client gives a stream up. */
  reset({ stream: id }: Frame, now: number): void {
    const stream = this.#find(id);
    if (stream === undefined) return this.#options.countIdle();
    // A client that opens streams only to give them up has the server work for nothing (CVE-2023-44487).
    if (!this.#options.resets.take(now)) {
      throw new ConnectionError(ERROR.enhanceYourCalm, "too many streams were reset");
    }
    stream.close();
  }

  /** The client takes more on a stream, or on all together. */
  windowUpdate({ stream: id, payload }: Frame): void {
    this.#options.countIdle();
    const more = payload.readUInt32BE() & MOST_WINDOW;
    if (id === 0) {
      if (more === 0) throw new ConnectionError(ERROR.protocol, "a window grows by nothing");
      this.outbox.window += more;
      if (this.outbox.window > MOST_WINDOW) throw windowTooLarge();
      return this.goOn();
    }
    const stream = this.#find(id);
    if (stream === undefined) return;
    if (more === 0) return stream.reset(ERROR.protocol);
    if (stream.window + more > MOST_WINDOW) return stream.reset(ERROR.flowControl);
    stream.widen(more);
    this.goOn();
  }

  /** The client has another window for every stream, those that are open among them (6.9.2). */
  changeWindow(bytes: number): void {
    const more = bytes - this.#initialWindow;
    this.#initialWindow = bytes;
    for (const stream of this.#open.values()) {
      if (stream.window + more > MOST_WINDOW) throw windowTooLarge();
      stream.widen(more);
    }
    this.goOn();
  }

  /** The client reads again. */
  goOn(): void {
    this.outbox.pump();
    // Whoever is still behind puts itself in again.
    const behind = [...this.behind];
    this.behind.clear();
    for (const stream of behind) if (!stream.isBehind) stream.receiver?.drained();
    this.#deferred.begin();
  }

  /** Gives up requests that do not come to their end. */
  check(now: number): void {
    const latest = now - this.#options.limits.requestTime;
    for (const stream of this.#open.values()) {
      if (stream.openedAt <= latest && stream.receiver?.isExpecting === true) stream.reset(ERROR.cancel);
    }
  }

  close(): void {
    for (const stream of this.#open.values()) stream.close();
  }

  #trailers(id: number, isLast: boolean, bytes: Buffer): void {
    // Read in any case: they may change the table.
    this.#options.blocks.fields(bytes);
    const stream = this.#open.get(id);
    if (stream === undefined) return this.#options.countIdle();
    if (!isLast || stream.isRemoteClosed) return stream.reset(ERROR.protocol);
    stream.closeRemote();
  }

  #refusal(): typeof ERROR.refusedStream | typeof ERROR.enhanceYourCalm | undefined {
    if (this.#open.size + this.lingering >= this.#options.limits.streams) return ERROR.refusedStream;
    return this.#deferred.isFull ? ERROR.enhanceYourCalm : undefined;
  }

  /** Data counts for the connection's window whatever becomes of it. */
  #consume(bytes: number): void {
    this.#receiveWindow -= bytes;
    if (this.#receiveWindow < 0) {
      throw new ConnectionError(ERROR.flowControl, "the connection's window is exceeded");
    }
    if (this.#receiveWindow > WINDOW_BYTES - TOLD_BYTES) return;
    this.outbox.push(windowUpdate(0, WINDOW_BYTES - this.#receiveWindow));
    this.#receiveWindow = WINDOW_BYTES;
  }

  /** Undefined for a stream that is over; throws for one that never was. */
  #find(id: number): Stream | undefined {
    if (id > this.last || id % 2 === 0) throw new ConnectionError(ERROR.protocol, `there is no stream ${id}`);
    return this.#open.get(id);
  }
}

const HEAD_ERRORS = { "too large": ERROR.frameSize, malformed: ERROR.protocol } as const;

export function windowUpdate(stream: number, more: number): string {
  return frame(KIND.windowUpdate, stream, word(more));
}

function windowTooLarge(): ConnectionError {
  return new ConnectionError(ERROR.flowControl, "a window is too large");
}
