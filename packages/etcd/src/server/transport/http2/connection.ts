// The server's end of an HTTP/2 connection (RFC 9113): reads frames, and guards against clients that make it work for
// nothing. Called by the gRPC server, to which its streams hand each request.
// Invariants: whatever a client sends ends in an answer, a reset stream or a closed connection, never in an exception;
// what it can have the server hold is bounded by its limits.

import type { Duplex } from "node:stream";
import { Allowance } from "./allowance.ts";
import { checkFrame, readFrame, type Frame } from "./frame-reader.ts";
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
  PREFACE,
  SETTING,
  settingsFrame,
} from "./protocol.ts";
import { readSettings } from "./settings.ts";
import { Streams, windowUpdate, WINDOW_BYTES, type StreamsOptions } from "./streams.ts";

/** Frames that ask for nothing, for each frame with which the server answered. */
const CREDIT = 4;
/** More than the outbox hands to the socket ahead of what it takes. */
const MOST_ON_THE_WAY = 1 << 20;
/** Time for a client to take what tells it that the connection ends. */
const FAREWELL_MS = 1000;
/** Payload of the server's pings: when it goes, and when it wonders whether the client is there. */
const GOODBYE_PING = "goodbye!";
const ALIVE_PING = "alive ?!";

export interface ConnectionOptions {
  readonly limits: ConnectionLimits;
  /** Milliseconds. */
  readonly now: () => number;
  readonly request: StreamsOptions["request"];
  /** The client will keep a table of at most so many bytes for what the server sends. */
  readonly tableSize: (bytes: number) => void;
  readonly closed: () => void;
}

export class Connection {
  readonly #socket: Duplex;
  readonly #options: ConnectionOptions;
  readonly #outbox: Outbox;
  readonly #blocks: HeaderBlocks;
  readonly #streams: Streams;
  readonly #keepalive: Keepalive;
  readonly #idleFrames: Allowance;
  /** The beginning of a frame. */
  #rest: Buffer | undefined;
  /** Since when a frame or a header block is incomplete. */
  #partialSince: number | undefined;
  #hasPreface = false;
  #hasSettings = false;
  #now: number;
  /** `draining`: the client has been told to send no more requests. */
  #state: "open" | "draining" | "over" = "open";

  constructor(socket: Duplex, options: ConnectionOptions) {
    const { limits, now, request } = options;
    this.#socket = socket;
    this.#options = options;
    this.#now = now();
    this.#outbox = new Outbox(socket);
    this.#blocks = new HeaderBlocks(limits.headerBytes);
    this.#keepalive = new Keepalive(limits.keepalive, this.#now);
    this.#idleFrames = new Allowance(limits.idleFrames);
    this.#streams = new Streams({
      limits,
      outbox: this.#outbox,
      blocks: this.#blocks,
      resets: new Allowance(limits.resets),
      countIdle: () => this.#countIdle(),
      sent: () => this.#sent(),
      idle: () => this.#endIfIdle(),
      request,
    });
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => this.#streams.goOn());
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#lost());
    const settings = settingsFrame([
      [SETTING.maxConcurrentStreams, limits.streams],
      [SETTING.initialWindowSize, WINDOW_BYTES],
      [SETTING.maxHeaderListSize, limits.headerBytes],
    ]);
    this.#outbox.push(settings + windowUpdate(0, WINDOW_BYTES - DEFAULT_WINDOW));
  }

  /** A request whose stream is over is still worked on (1), or not any more (-1). */
  linger(change: number): void {
    this.#streams.lingering += change;
  }

  /** Takes no more requests than the client has sent when it hears of it, and ends when they are answered (6.8). */
  drain(): void {
    if (this.#state !== "open") return;
    this.#state = "draining";
    this.#outbox.push(goAwayFrame(MOST_STREAM_ID, ERROR.none, "") + frame(KIND.ping, 0, GOODBYE_PING));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** To be called every now and then: ends what takes too long. */
  check(): void {
    this.#now = this.#options.now();
    const todo = this.#keepalive.check(this.#now);
    const isStuck =
      this.#partialSince !== undefined && this.#now - this.#partialSince >= this.#options.limits.frameTime;
    if (todo === "close" || isStuck) return this.destroy();
    if (todo === "ping") this.#outbox.push(frame(KIND.ping, 0, ALIVE_PING));
    this.#streams.check(this.#now);
  }

  #receive(chunk: Buffer): void {
    if (this.#state === "over") return;
    this.#now = this.#options.now();
    this.#keepalive.heardAt = this.#now;
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#outbox.hold();
    try {
      const end = this.#read(bytes);
      if (end > 0) this.#partialSince = undefined;
      this.#rest = end === bytes.length ? undefined : Buffer.from(bytes.subarray(end));
      if (this.#rest !== undefined || this.#blocks.isOpen) this.#partialSince ??= this.#now;
      if (this.#outbox.unsent > this.#options.limits.waitingBytes + MOST_ON_THE_WAY)
        throw calm("the client does not read");
    } catch (error) {
      this.#fail(error);
    }
    this.#outbox.flush();
  }

  /** Reads whole frames; returns where the first incomplete one begins. */
  #read(bytes: Buffer): number {
    let at = this.#hasPreface ? 0 : this.#readPreface(bytes);
    if (!this.#hasPreface) return at;
    for (let next = readFrame(bytes, at); next !== undefined; next = readFrame(bytes, at)) {
      at += FRAME_HEAD_BYTES + next.payload.length;
      const block = this.#take(next);
      if (block === undefined) continue;
      // Nearly always the body follows at once, in one frame.
      const body = block.isLast ? undefined : readFrame(bytes, at);
      const isWhole =
        body?.type === FRAME.data && body.stream === block.stream && body.flags === FLAG.endStream;
      const isNew = block.stream > this.#streams.last;
      if (isWhole && isNew) at += FRAME_HEAD_BYTES + body.payload.length;
      this.#streams.headers(block, isWhole && isNew ? body.payload : undefined, this.#now);
      if (this.#state === "over") return bytes.length;
    }
    return at;
  }

  #readPreface(bytes: Buffer): number {
    if (!PREFACE.subarray(0, bytes.length).equals(bytes.subarray(0, PREFACE.length))) {
      throw new ConnectionError(ERROR.protocol, "the connection does not begin as HTTP/2 does");
    }
    this.#hasPreface = bytes.length >= PREFACE.length;
    return this.#hasPreface ? PREFACE.length : 0;
  }

  /** Takes a frame; returns the headers of a stream if it completes them. */
  #take(next: Frame): HeaderBlock | undefined {
    if (!this.#hasSettings && (next.type !== FRAME.settings || (next.flags & FLAG.ack) !== 0)) {
      throw new ConnectionError(ERROR.protocol, "the first frame holds no settings");
    }
    checkFrame(next);
    if (this.#blocks.isOpen || next.type === FRAME.headers || next.type === FRAME.continuation) {
      if (next.payload.length === 0) this.#countIdle();
      return this.#blocks.take(next);
    }
    switch (next.type) {
      case FRAME.data:
        this.#streams.data(next);
        break;
      case FRAME.resetStream:
        this.#streams.reset(next, this.#now);
        break;
      case FRAME.windowUpdate:
        this.#streams.windowUpdate(next);
        break;
      case FRAME.settings:
        this.#settings(next);
        break;
      case FRAME.ping:
        this.#ping(next);
        break;
      default:
        // GOAWAY and PRIORITY change nothing here, and extensions are ignored (5.5).
        this.#countIdle();
    }
    return undefined;
  }

  #settings({ flags, payload }: Frame): void {
    this.#countIdle();
    if ((flags & FLAG.ack) !== 0) {
      if (payload.length > 0)
        throw new ConnectionError(ERROR.frameSize, "an acknowledgement says nothing else");
      return;
    }
    this.#hasSettings = true;
    const { headerTableSize, initialWindowSize, maxFrameSize } = readSettings(payload);
    if (headerTableSize !== undefined) this.#options.tableSize(headerTableSize);
    if (maxFrameSize !== undefined) this.#outbox.frameBytes = maxFrameSize;
    this.#outbox.push(frame(KIND.settingsAck, 0, ""));
    if (initialWindowSize !== undefined) this.#streams.changeWindow(initialWindowSize);
  }

  #ping({ flags, payload }: Frame): void {
    this.#countIdle();
    const text = payload.toString("latin1");
    if ((flags & FLAG.ack) !== 0) {
      if (this.#state === "draining" && text === GOODBYE_PING) this.#sayGoodbye();
      return;
    }
    this.#outbox.push(frame(KIND.pingAck, 0, text));
    if (!this.#keepalive.admitsPing(this.#now, this.#streams.size > 0)) throw calm("too_many_pings");
  }

  /** Counts a frame that brings nothing forward. */
  #countIdle(): void {
    if (!this.#idleFrames.take(this.#now)) throw calm("too many frames that ask for nothing");
  }

  #sent(): void {
    this.#keepalive.hasAnswered = true;
    this.#idleFrames.give(CREDIT);
  }

  /** The client knows that it is to send no more requests: those that came until now are the last. */
  #sayGoodbye(): void {
    if (this.#streams.isShut) return;
    this.#streams.isShut = true;
    this.#outbox.push(goAwayFrame(this.#streams.last, ERROR.none, ""));
    this.#endIfIdle();
  }

  #endIfIdle(): void {
    if (this.#state !== "draining" || !this.#streams.isShut || this.#streams.size > 0) return;
    this.#state = "over";
    this.#end();
  }

  /** Ends the connection, and says why. */
  #fail(error: unknown): void {
    const { number, message } =
      error instanceof ConnectionError ? error : { number: ERROR.internal, message: "internal error" };
    this.#state = "over";
    this.#outbox.push(goAwayFrame(this.#streams.last, number, message));
    this.#streams.close();
    this.#end();
  }

  #end(): void {
    this.#outbox.flush();
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), FAREWELL_MS).unref();
  }

  #lost(): void {
    this.#state = "over";
    this.#streams.close();
    this.#options.closed();
  }
}

function calm(message: string): ConnectionError {
  return new ConnectionError(ERROR.enhanceYourCalm, message);
}
