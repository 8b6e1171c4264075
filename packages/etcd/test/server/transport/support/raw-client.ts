// A client that sends whatever bytes it likes to a server of a few methods, over a pipe, and sees every frame.
import { duplexPair, type Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { EtcdError } from "../../../../src/errors.ts";
import type { Method, StreamCall } from "../../../../src/server/transport/call.ts";
import { GrpcServer } from "../../../../src/server/transport/grpc.ts";
import { readFrame, type Frame } from "../../../../src/server/transport/http2/frame-reader.ts";
import { HpackDecoder } from "../../../../src/server/transport/http2/hpack/decoder.ts";
import { literal } from "../../../../src/server/transport/http2/hpack/encoder.ts";
import { frame, FRAME, FRAME_HEAD_BYTES, PREFACE } from "../../../../src/server/transport/http2/protocol.ts";
import { DEFAULT_TRANSPORT_LIMITS, type TransportLimits } from "../../../../src/server/transport/limits.ts";
import { framed } from "../../../../src/server/transport/messages.ts";

export const SETTINGS = frame("\x04\x00", 0, "");
export const SETTINGS_ACK = frame("\x04\x01", 0, "");
export const PREFACE_TEXT: string = PREFACE.toString("latin1");

/** The header block of a request. */
export function requestBlock(method: string, extra: Readonly<Record<string, string>> = {}): string {
  const fields = {
    ":method": "POST",
    ":scheme": "http",
    ":path": `/test.Test/${method}`,
    ":authority": "http://a:1",
    "content-type": "application/grpc",
    te: "trailers",
    ...extra,
  };
  return Object.entries(fields)
    .map(([name, value]) => literal(name, value))
    .join("");
}

export function headers(stream: number, block: string, isLast = false): string {
  return frame(isLast ? "\x01\x05" : "\x01\x04", stream, block);
}

export function data(stream: number, text: string, isLast = true): string {
  return frame(isLast ? "\x00\x01" : "\x00\x00", stream, text);
}

/** A whole request. */
export function request(
  stream: number,
  method: string,
  message = "",
  extra: Readonly<Record<string, string>> = {},
): string {
  return headers(stream, requestBlock(method, extra)) + data(stream, framed(message));
}

/** What the methods of a test server went through. */
export interface Observed {
  readonly events: string[];
  readonly calls: StreamCall[];
  /** Answers that Later gives, in the order of the requests. */
  readonly later: ((answer: string) => void)[];
}

function testService(observed: Observed): Record<string, Method> {
  return {
    Echo: { kind: "unary", handle: (message) => message.toString("latin1") },
    Size: {
      kind: "unary",
      handle: (message) => {
        observed.events.push("size");
        return "x".repeat(message.readUInt32BE());
      },
    },
    Later: { kind: "unary", handle: () => new Promise((resolve) => observed.later.push(resolve)) },
    Wait: {
      kind: "waiting",
      handle: (_message, _call, gone) =>
        new Promise((_resolve, reject) => {
          gone.addEventListener("abort", () => {
            observed.events.push("gone");
            reject(gone.reason as Error);
          });
        }),
    },
    Ended: {
      kind: "stream",
      open: (call) => {
        call.end(EtcdError.refusal("NO_LEADER"));
        const nothing = (): void => undefined;
        return {
          message: nothing,
          halfClosed: nothing,
          drained: nothing,
          closed: () => void observed.events.push("closed"),
        };
      },
    },
    Faulty: {
      kind: "stream",
      open: () => {
        const fail = (): never => {
          throw EtcdError.refusal("CORRUPT");
        };
        return { message: fail, halfClosed: fail, drained: fail, closed: () => undefined };
      },
    },
    Stream: {
      kind: "stream",
      open: (call) => {
        observed.calls.push(call);
        const note = (event: string) => (): void => void observed.events.push(event);
        return {
          message: (bytes) => void observed.events.push(`message ${bytes.toString("latin1")}`),
          halfClosed: note("half-closed"),
          drained: note("drained"),
          closed: note("closed"),
        };
      },
    },
  };
}

export class RawClient implements AsyncDisposable {
  readonly frames: Frame[] = [];
  /** Frames by the read that brought them. */
  readonly reads: number[] = [];
  readonly observed: Observed = { events: [], calls: [], later: [] };
  readonly server: GrpcServer;
  readonly #socket: Duplex;
  readonly #other: Duplex;
  readonly #decoder = new HpackDecoder(4096, 1 << 20);
  readonly #fields = new Map<Frame, readonly string[]>();
  #rest: Buffer = Buffer.alloc(0);
  isClosed = false;

  constructor(limits: Partial<TransportLimits> = {}, opening: string = PREFACE_TEXT + SETTINGS) {
    this.server = new GrpcServer({
      services: new Map([["test.Test", testService(this.observed)]]),
      mostMessageBytes: 100_000,
      limits: { ...DEFAULT_TRANSPORT_LIMITS, ...limits },
      now: () => performance.now(),
    });
    const [near, far] = duplexPair();
    this.#socket = near;
    this.#other = far;
    near.on("data", (bytes: Buffer) => this.#take(bytes));
    near.once("close", () => (this.isClosed = true)).once("end", () => (this.isClosed = true));
    near.once("end", () => near.end());
    near.on("error", () => undefined);
    this.server.connect(far, { address: "test", commonName: undefined });
    if (opening !== "") this.send(opening);
  }

  send(...texts: readonly string[]): void {
    this.sendBytes(Buffer.from(texts.join(""), "latin1"));
  }

  sendBytes(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Stops reading, or goes on. */
  read(isWanted: boolean): void {
    if (isWanted) this.#socket.resume();
    else this.#socket.pause();
  }

  /** The first frame that fits, as soon as it is there. */
  async frame(type: keyof typeof FRAME, fits: (frame: Frame) => boolean = () => true): Promise<Frame> {
    const find = (): Frame | undefined => this.frames.find((each) => each.type === FRAME[type] && fits(each));
    await this.until(() => find() !== undefined);
    return find() as Frame;
  }

  async until(isSo: () => boolean): Promise<void> {
    const patience = performance.now() + 30_000;
    while (!isSo()) {
      if (performance.now() > patience) throw new Error(`it never came; there were ${this.#summary()}`);
      await nextTurn();
    }
  }

  /** What a stream was answered: its status, words and data. */
  async answer(stream: number): Promise<{ status: string; data: string; headers: readonly string[] }> {
    const last = await this.frame("headers", (each) => each.stream === stream && (each.flags & 1) !== 0);
    const trailers = this.fields(last);
    const at = trailers.indexOf("grpc-status");
    return {
      status: `${trailers[at + 1]} ${trailers[trailers.indexOf("grpc-message") + 1]}`.trim(),
      data: this.data(stream),
      headers: this.frames
        .filter((each) => each.stream === stream && each.type === FRAME.headers)
        .flatMap((each) => this.fields(each)),
    };
  }

  data(stream: number): string {
    const frames = this.frames.filter((each) => each.stream === stream && each.type === FRAME.data);
    return Buffer.concat(frames.map(({ payload }) => payload)).toString("latin1");
  }

  fields(of: Frame): readonly string[] {
    return this.#fields.get(of) ?? [];
  }

  /** Error code and words with which the server ended the connection. */
  async goAway(): Promise<{ number: number; words: string }> {
    const { payload } = await this.frame("goAway");
    await this.until(() => this.isClosed);
    return { number: payload.readUInt32BE(4), words: payload.toString("latin1", 8) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    this.#other.destroy();
    await this.server.close(EtcdError.refusal("SERVER_STOPPED"));
  }

  #take(bytes: Buffer): void {
    let all = Buffer.concat([this.#rest, bytes]);
    const before = this.frames.length;
    for (let next = readFrame(all, 0, 1 << 20); next !== undefined; next = readFrame(all, 0, 1 << 20)) {
      if (next.type === FRAME.headers) this.#fields.set(next, this.#decoder.decode(next.payload) ?? []);
      this.frames.push(next);
      all = all.subarray(FRAME_HEAD_BYTES + next.payload.length);
    }
    this.#rest = all;
    this.reads.push(this.frames.length - before);
  }

  #summary(): string {
    return JSON.stringify(
      this.frames.map(({ type, flags, stream, payload }) => [type, flags, stream, payload.length]),
    );
  }
}
