// HTTP/2 as a load generator needs it: requests made in advance, of which only the stream's number is filled in,
// and a scanner that looks at the heads of frames and passes over what is in them.

export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const;
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4 } as const;
const HEAD_BYTES = 9;
/** HPACK: everything is put into the table by the first request and named by index after that. */
const INDEXED_HEADERS = [0xc1, 0xc0, 0xbf, 0xbe];
const METHOD_POST = 0x83;
const SCHEME = { http: 0x86, https: 0x87 } as const;

export interface Route {
  /** "/service/method" */
  readonly path: string;
  readonly authority: string;
  readonly scheme: keyof typeof SCHEME;
}

/** What a client says first: no limits on what it can be sent. */
export function preface(): Buffer {
  const window = Buffer.alloc(4);
  window.writeUInt32BE(2 ** 31 - 1 - 65_535);
  const settings = Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]);
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    frame(FRAME.settings, 0, { stream: 0, payload: settings }),
    frame(FRAME.windowUpdate, 0, { stream: 0, payload: window }),
  ]);
}

/** The HEADERS frame of a connection's first request, which fills HPACK's table. */
export function firstHeaders(stream: number, { path, authority, scheme }: Route): Buffer {
  const text = (value: string): string => String.fromCharCode(value.length) + value;
  const literals = `\x44${text(path)}\x41${text(authority)}\x5f${text("application/grpc")}\x40${text("te")}${text("trailers")}`;
  const payload = Buffer.concat([
    Buffer.from([METHOD_POST, SCHEME[scheme]]),
    Buffer.from(literals, "latin1"),
  ]);
  return frame(FRAME.headers, FLAG.endHeaders, { stream, payload });
}

/** The HEADERS frame of any other request. */
export function nextHeaders(stream: number, { scheme }: Route): Buffer {
  const payload = Buffer.from([METHOD_POST, SCHEME[scheme], ...INDEXED_HEADERS]);
  return frame(FRAME.headers, FLAG.endHeaders, { stream, payload });
}

/** A gRPC message in a DATA frame. */
export function dataFrame(stream: number, message: Uint8Array, flags = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return frame(FRAME.data, flags, { stream, payload: Buffer.concat([prefix, message]) });
}

const HEADERS_BYTES = HEAD_BYTES + 2 + INDEXED_HEADERS.length;

/** A whole unary request, to be copied and given its stream by {@link setStream}. */
export function preparedRequest(message: Uint8Array, route: Route): Buffer {
  return Buffer.concat([nextHeaders(0, route), dataFrame(0, message, FLAG.endStream)]);
}

export function setStream(bytes: Buffer, at: number, stream: number): void {
  bytes.writeUInt32BE(stream, at + 5);
  bytes.writeUInt32BE(stream, at + HEADERS_BYTES + 5);
}

export function frame(
  type: number,
  flags: number,
  { stream, payload }: { readonly stream: number; readonly payload: Uint8Array },
): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

export interface FrameHead {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
}

export interface FrameSink {
  /** A part of a DATA frame; the bytes are valid during the call only. */
  data(stream: number, bytes: Buffer): void;
  /** A frame is complete. `payload` is there for other frames than DATA and HEADERS. */
  frame(head: FrameHead, payload: Buffer): void;
}

/** Follows the frames of a connection through the pieces in which they arrive. */
export class FrameScanner {
  readonly #sink: FrameSink;
  readonly #wantsData: boolean;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  readonly #payload = Buffer.alloc(1 << 14);
  #headBytes = 0;
  #payloadBytes = 0;
  #left = 0;

  constructor(sink: FrameSink, wantsData: boolean) {
    this.#sink = sink;
    this.#wantsData = wantsData;
  }

  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length || (this.#headBytes === HEAD_BYTES && this.#left === 0);) {
      if (this.#headBytes < HEAD_BYTES) {
        const taken = Math.min(HEAD_BYTES - this.#headBytes, bytes.length - at);
        for (let place = 0; place < taken; place++) this.#head[this.#headBytes++] = bytes[at++] as number;
        if (this.#headBytes < HEAD_BYTES) return;
        this.#left =
          ((this.#head[0] as number) << 16) | ((this.#head[1] as number) << 8) | (this.#head[2] as number);
        this.#payloadBytes = 0;
      }
      const taken = Math.min(this.#left, bytes.length - at);
      this.#take(bytes, at, taken);
      at += taken;
      this.#left -= taken;
      if (this.#left > 0) return;
      this.#headBytes = 0;
      const head = { type: this.#head[3] as number, flags: this.#head[4] as number, stream: this.#stream };
      this.#sink.frame(head, this.#payload.subarray(0, this.#payloadBytes));
    }
  }

  get #stream(): number {
    const head = this.#head;
    return (
      (((head[5] as number) << 24) |
        ((head[6] as number) << 16) |
        ((head[7] as number) << 8) |
        (head[8] as number)) >>>
      0
    );
  }

  #take(bytes: Buffer, at: number, count: number): void {
    const type = this.#head[3];
    if (type === FRAME.headers || count === 0) return;
    if (type !== FRAME.data)
      this.#payloadBytes += bytes.copy(this.#payload, this.#payloadBytes, at, at + count);
    else if (this.#wantsData) this.#sink.data(this.#stream, bytes.subarray(at, at + count));
  }
}
