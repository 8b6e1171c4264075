// The server's end of an HTTP/2 connection (RFC 9113): reads frames, keeps the streams, and guards against clients
// that make it work for nothing. Called by the gRPC server, to which it hands each request.
// Invariants: whatever a client sends ends in an answer, a reset stream or a closed connection, never in an exception;
// what it can have the server hold is bounded by its limits.

import type { Duplex } from "node:stream";
import { Allowance } from "./allowance.ts";
import { readFrame, unpadded, type Frame } from "./frame-reader.ts";
import { HeaderBlocks, type HeaderBlock } from "./header-blocks.ts";
import { Keepalive } from "./keepalive.ts";
import type { ConnectionLimits } from "./limits.ts";
import { Outbox } from "./outbox.ts";
import {
  ConnectionError,
  DEFAULT_WINDOW,
  ERROR,
  FLAG,
  FRAME,
  FRAME_HEAD_BYTES,
  frame,
  goAwayFrame,
  KIND,
  MOST_STREAM_ID,
  MOST_WINDOW,
  PREFACE,
  SETTING,
  settingsFrame,
  word,
} from "./protocol.ts";
import type { RequestHead } from "./request-head.ts";
import { readSettings } from "./settings.ts";
import { Stream, type StreamHome } from "./stream.ts";

/** What the client may send before it is told to go on. */
const WINDOW_BYTES = 4 << 20;
/** Data that was taken since the client was last told to go on. */
const TOLD_BYTES = WINDOW_BYTES / 2;
/** Frames that ask for nothing, for each frame with which the server answered. */
const CREDIT = 4;
/** Time for a client to take what tells it that the connection ends. */
const FAREWELL_MS = 1000;
const PING_BYTES = 8;
/** Payload of the server's pings: when it goes, and when it wonders whether the client is there. */
const GOODBYE_PING = "goodbye!";
const ALIVE_PING = "alive ?!";

export interface ConnectionOptions {
  readonly limits: ConnectionLimits;
  /** Milliseconds. */
  readonly now: () => number;
  /**
   * Takes a request. `body` is everything that the client sends with it, if that is known already; otherwise the
   * stream's receiver gets it.
   */
  readonly request: (stream: Stream, head: RequestHead, body: Buffer | undefined) => void;
  /** The client will keep a table of at most so many bytes for what the server sends. */
  readonly tableSize: (bytes: number) => void;
  readonly closed: () => void;
}

export class Connection implements StreamHome {
  readonly outbox: Outbox;
  readonly behind = new Set<Stream>();
  readonly #socket: Duplex;
  readonly #options: ConnectionOptions;
  readonly #blocks: HeaderBlocks;
  readonly #keepalive: Keepalive;
  readonly #streams = new Map<number, Stream>();
  readonly #idleFrames: Allowance;
  readonly #resets: Allowance;
  /** Requests whose stream is over, but that are still worked on. */
  lingering = 0;
  #rest: Buffer | undefined;
  /** Since when a frame or a header block is incomplete. */
  #partialSince: number | undefined;
  #hasPreface = false;
  #hasSettings = false;
  #lastStream = 0;
  #receiveWindow = WINDOW_BYTES;
  #initialWindow = DEFAULT_WINDOW;
  #now: number;
  /** `draining`: no new requests after those that the client has been told of. */
  #state: "open" | "draining" | "over" = "open";

  constructor(socket: Duplex, options: ConnectionOptions) {
    const { limits, now } = options;
    this.#socket = socket;
    this.#options = options;
    this.#now = now();
    this.outbox = new Outbox(socket);
    this.#blocks = new HeaderBlocks(limits.headerBytes);
    this.#keepalive = new Keepalive(limits.keepalive, this.#now);
    this.#idleFrames = new Allowance(limits.idleFrames.most, limits.idleFrames.perSecond);
    this.#resets = new Allowance(limits.resets.most, limits.resets.perSecond);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => this.#goOn());
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#lost());
    const settings = settingsFrame([
      [SETTING.maxConcurrentStreams, limits.streams],
      [SETTING.initialWindowSize, WINDOW_BYTES],
      [SETTING.maxHeaderListSize, limits.headerBytes],
    ]);
    this.outbox.push(settings + windowUpdate(0, WINDOW_BYTES - DEFAULT_WINDOW));
  }

  /** Requests that are not answered yet, or whose answer has not left. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Takes no more requests than the client has sent when it hears of it, and ends when they are answered. */
  drain(): void {
    if (this.#state !== "open") return;
    this.#state = "draining";
    this.outbox.push(goAwayFrame(MOST_STREAM_ID, ERROR.none, "") + frame(KIND.ping, 0, GOODBYE_PING));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** To be called every now and then: ends what takes too long. */
  check(): void {
    this.#now = this.#options.now();
    const { limits } = this.#options;
    const todo = this.#keepalive.check(this.#now);
    const isStuck = this.#partialSince !== undefined && this.#now - this.#partialSince >= limits.frameTime;
    if (todo === "close" || isStuck) return this.destroy();
    if (todo === "ping") this.outbox.push(frame(KIND.ping, 0, ALIVE_PING));
    for (const stream of this.#streams.values()) {
      const isLate = this.#now - stream.openedAt >= limits.requestTime;
      if (isLate && stream.receiver?.isExpecting === true) stream.reset(ERROR.cancel);
    }
  }

  sent(): void {
    this.#keepalive.hasAnswered = true;
    this.#idleFrames.give(CREDIT);
  }

  closed(stream: Stream): void {
    this.#streams.delete(stream.id);
    if (this.#state === "draining" && this.#hasSaidGoodbye) this.#endIfIdle();
  }

  #hasSaidGoodbye = false;

  #receive(chunk: Buffer): void {
    if (this.#state === "over") return;
    this.#now = this.#options.now();
    this.#keepalive.heardAt = this.#now;
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.outbox.hold();
    try {
      const end = this.#read(bytes);
      if (end > 0) this.#partialSince = undefined;
      this.#rest = end === bytes.length ? undefined : Buffer.from(bytes.subarray(end));
      if (this.#rest !== undefined || this.#blocks.isOpen) this.#partialSince ??= this.#now;
      if (this.outbox.waiting > this.#options.limits.waitingBytes * 2) throw calm("the client does not read");
    } catch (error) {
      this.#fail(error);
    }
    this.outbox.flush();
  }

  /** Reads whole frames; returns where the first incomplete one begins. */
  #read(bytes: Buffer): number {
    let at = 0;
    if (!this.#hasPreface) {
      if (!PREFACE.subarray(0, bytes.length).equals(bytes.subarray(0, PREFACE.length))) {
        throw new ConnectionError(ERROR.protocol, "the connection does not begin as HTTP/2 does");
      }
      if (bytes.length < PREFACE.length) return 0;
      this.#hasPreface = true;
      at = PREFACE.length;
    }
    for (let next = readFrame(bytes, at); next !== undefined; next = readFrame(bytes, at)) {
      at += FRAME_HEAD_BYTES + next.payload.length;
      const block = this.#take(next);
      if (block === undefined) continue;
      // Nearly always the body follows at once, in one frame.
      const body = block.isLast ? undefined : readFrame(bytes, at);
      const isWhole =
        body?.type === FRAME.data && body.stream === block.stream && body.flags === FLAG.endStream;
      if (isWhole) at += FRAME_HEAD_BYTES + body.payload.length;
      this.#request(block, isWhole ? body.payload : undefined);
      if (this.#state === "over") return bytes.length;
    }
    return at;
  }

  /** Takes a frame; returns the headers of a stream if it completes them. */
  #take(next: Frame): HeaderBlock | undefined {
    if (!this.#hasSettings && (next.type !== FRAME.settings || (next.flags & FLAG.ack) !== 0)) {
      throw new ConnectionError(ERROR.protocol, "the first frame holds no settings");
    }
    if (this.#blocks.isOpen || next.type === FRAME.headers || next.type === FRAME.continuation) {
      if (next.stream % 2 !== 1)
        throw new ConnectionError(ERROR.protocol, "a client's stream has an odd number");
      if (next.payload.length === 0) this.#countIdle();
      return this.#blocks.take(next);
    }
    switch (next.type) {
      case FRAME.data:
        this.#data(next);
        break;
      case FRAME.resetStream:
        this.#reset(next);
        break;
      case FRAME.settings:
        this.#settings(next);
        break;
      case FRAME.ping:
        this.#ping(next);
        break;
      case FRAME.windowUpdate:
        this.#windowUpdate(next);
        break;
      case FRAME.goAway:
        if (next.stream !== 0) throw onStream("GOAWAY");
        break;
      case FRAME.pushPromise:
        throw new ConnectionError(ERROR.protocol, "a client cannot push");
      case FRAME.priority:
        if (next.stream === 0) throw new ConnectionError(ERROR.protocol, "PRIORITY is for a stream");
        this.#countIdle();
        break;
      default:
        // Extensions are ignored (5.5).
        this.#countIdle();
    }
    return undefined;
  }

  /** A block of headers: of a new request, or the trailers of one. */
  #request({ stream: id, isLast, bytes }: HeaderBlock, body: Buffer | undefined): void {
    if (body !== undefined) this.#consume(body.length);
    const open = this.#streams.get(id);
    if (open !== undefined || id <= this.#lastStream) {
      this.#blocks.fields(bytes);
      if (open === undefined) return this.#countIdle();
      if (!isLast || open.isRemoteClosed) return open.reset(ERROR.protocol);
      return open.closeRemote();
    }
    const head = this.#blocks.head(bytes);
    this.#lastStream = id;
    const windows = { send: this.#initialWindow, receive: WINDOW_BYTES };
    const stream = new Stream(id, this, windows);
    stream.openedAt = this.#now;
    if (typeof head === "string")
      return stream.reset(head === "malformed" ? ERROR.protocol : ERROR.frameSize);
    const { limits } = this.#options;
    if (this.#state === "draining" && this.#hasSaidGoodbye) return;
    if (this.#streams.size + this.lingering >= limits.streams) return stream.reset(ERROR.refusedStream);
    if (this.outbox.waiting > limits.waitingBytes) return stream.reset(ERROR.enhanceYourCalm);
    const isWhole = isLast || body !== undefined;
    stream.isRemoteClosed = isWhole;
    this.#options.request(stream, head, isWhole ? (body ?? NOTHING) : undefined);
    if (!stream.isOver) this.#streams.set(id, stream);
  }

  #data(next: Frame): void {
    const { stream: id, flags } = next;
    this.#checkKnown(id);
    const isLast = (flags & FLAG.endStream) !== 0;
    const bytes = unpadded(next);
    this.#consume(next.payload.length);
    if (bytes.length === 0 && !isLast) this.#countIdle();
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#countIdle();
    if (stream.isRemoteClosed) return stream.reset(ERROR.streamClosed);
    stream.receiveWindow -= next.payload.length;
    if (stream.receiveWindow < 0) return stream.reset(ERROR.flowControl);
    // Before the data is looked at: an answer to it needs not end what has ended.
    stream.isRemoteClosed = isLast;
    if (bytes.length > 0) stream.receiver?.data(bytes);
    if (stream.isOver) return;
    if (isLast) return stream.closeRemote();
    if (stream.receiveWindow > WINDOW_BYTES - TOLD_BYTES) return;
    this.outbox.push(windowUpdate(id, WINDOW_BYTES - stream.receiveWindow));
    stream.receiveWindow = WINDOW_BYTES;
  }

  /** Data counts for the connection's window whatever becomes of it. */
  #consume(bytes: number): void {
    this.#receiveWindow -= bytes;
    if (this.#receiveWindow < 0)
      throw new ConnectionError(ERROR.flowControl, "the connection's window is exceeded");
    if (this.#receiveWindow > WINDOW_BYTES - TOLD_BYTES) return;
    this.outbox.push(windowUpdate(0, WINDOW_BYTES - this.#receiveWindow));
    this.#receiveWindow = WINDOW_BYTES;
  }

  #reset({ stream: id, payload }: Frame): void {
    if (payload.length !== 4) throw new ConnectionError(ERROR.frameSize, "RST_STREAM has four bytes");
    this.#checkKnown(id);
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#countIdle();
    // A client that opens streams only to give them up has the server work for nothing (CVE-2023-44487).
    if (!this.#resets.take(this.#now)) throw calm("too many streams were reset");
    stream.close();
  }

  #settings({ stream: id, flags, payload }: Frame): void {
    if (id !== 0) throw onStream("SETTINGS");
    this.#countIdle();
    if ((flags & FLAG.ack) !== 0) {
      if (payload.length > 0)
        throw new ConnectionError(ERROR.frameSize, "an acknowledgement says nothing else");
      return;
    }
    this.#hasSettings = true;
    const { headerTableSize, initialWindowSize, maxFrameSize } = readSettings(payload);
    if (headerTableSize !== undefined) this.#options.tableSize(headerTableSize);
    if (maxFrameSize !== undefined) this.outbox.frameBytes = maxFrameSize;
    this.outbox.push(frame(KIND.settingsAck, 0, ""));
    if (initialWindowSize === undefined) return;
    const more = initialWindowSize - this.#initialWindow;
    this.#initialWindow = initialWindowSize;
    for (const stream of this.#streams.values()) {
      if (stream.window + more > MOST_WINDOW)
        throw new ConnectionError(ERROR.flowControl, "a window is too large");
      stream.widen(more);
    }
    this.#goOn();
  }

  #ping({ stream: id, flags, payload }: Frame): void {
    if (id !== 0) throw onStream("PING");
    if (payload.length !== PING_BYTES) throw new ConnectionError(ERROR.frameSize, "PING has eight bytes");
    this.#countIdle();
    const text = payload.toString("latin1");
    if ((flags & FLAG.ack) !== 0) {
      if (this.#state === "draining" && text === GOODBYE_PING) this.#sayGoodbye();
      return;
    }
    this.outbox.push(frame(KIND.pingAck, 0, text));
    if (!this.#keepalive.admitsPing(this.#now, this.#streams.size > 0)) throw calm("too_many_pings");
  }

  #windowUpdate({ stream: id, payload }: Frame): void {
    if (payload.length !== 4) throw new ConnectionError(ERROR.frameSize, "WINDOW_UPDATE has four bytes");
    this.#checkKnown(id, true);
    this.#countIdle();
    const more = payload.readUInt32BE() & MOST_WINDOW;
    if (id === 0) {
      if (more === 0) throw new ConnectionError(ERROR.protocol, "a window grows by nothing");
      this.outbox.window += more;
      if (this.outbox.window > MOST_WINDOW)
        throw new ConnectionError(ERROR.flowControl, "a window is too large");
      return this.#goOn();
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (more === 0) return stream.reset(ERROR.protocol);
    if (stream.window + more > MOST_WINDOW) return stream.reset(ERROR.flowControl);
    stream.widen(more);
    this.#goOn();
  }

  /** The client reads again. */
  #goOn(): void {
    this.outbox.pump();
    // Whoever is still behind puts itself in again.
    const behind = [...this.behind];
    this.behind.clear();
    for (const stream of behind) if (!stream.isBehind) stream.receiver?.drained();
  }

  /** A frame for a stream that never was (5.1). */
  #checkKnown(id: number, mayBeConnection = false): void {
    if (id === 0 ? mayBeConnection : id % 2 === 1 && id <= this.#lastStream) return;
    throw new ConnectionError(ERROR.protocol, `there is no stream ${id}`);
  }

  /** Counts a frame that brings nothing forward. */
  #countIdle(): void {
    if (!this.#idleFrames.take(this.#now)) throw calm("too many frames that ask for nothing");
  }

  #sayGoodbye(): void {
    this.#hasSaidGoodbye = true;
    this.outbox.push(goAwayFrame(this.#lastStream, ERROR.none, ""));
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#streams.size > 0) return;
    this.#state = "over";
    this.outbox.flush();
    this.#end();
  }

  /** Ends the connection, and says why. */
  #fail(error: unknown): void {
    const { number, message } =
      error instanceof ConnectionError ? error : { number: ERROR.internal, message: "internal error" };
    this.#state = "over";
    this.outbox.push(goAwayFrame(this.#lastStream, number, message));
    this.outbox.flush();
    for (const stream of this.#streams.values()) stream.close();
    this.#end();
  }

  #end(): void {
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), FAREWELL_MS).unref();
  }

  #lost(): void {
    this.#state = "over";
    for (const stream of this.#streams.values()) stream.close();
    this.#options.closed();
  }
}

const NOTHING = Buffer.alloc(0);

function windowUpdate(stream: number, more: number): string {
  return frame(KIND.windowUpdate, stream, word(more));
}

function calm(message: string): ConnectionError {
  return new ConnectionError(ERROR.enhanceYourCalm, message);
}

function onStream(name: string): ConnectionError {
  return new ConnectionError(ERROR.protocol, `${name} is for the whole connection`);
}
