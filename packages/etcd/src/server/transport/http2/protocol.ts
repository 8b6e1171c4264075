// Names and numbers of HTTP/2 (RFC 9113). Frames are made as latin1 strings, one character a byte, as all that the
// server sends.

/** What a client begins with (3.4). */
export const PREFACE: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Length, type, flags, stream (4.1). */
export const FRAME_HEAD_BYTES = 9;
/** The payload that either side may send unless the other allows more (6.5.2). Here no more is allowed. */
export const DEFAULT_FRAME_BYTES = 16_384;
export const MOST_FRAME_BYTES = 2 ** 24 - 1;
/** Window of a connection and of a stream before anyone changes it (6.9.2). */
export const DEFAULT_WINDOW = 65_535;
export const MOST_WINDOW = 2 ** 31 - 1;
export const MOST_STREAM_ID = 2 ** 31 - 1;

/** Types of frames (6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/** Settings (6.5.2). */
export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const;

/** Error codes (7). */
export const ERROR = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const;

export type ErrorNumber = (typeof ERROR)[keyof typeof ERROR];

/** Ends the whole connection (5.4.1). The message is for whoever reads the GOAWAY frame. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly number: ErrorNumber;

  constructor(number: ErrorNumber, message: string) {
    super(message);
    this.number = number;
  }
}

/** Type and flags of the frames that a server sends. */
export const KIND = {
  data: "\x00\x00",
  headers: "\x01\x04",
  /** With the end of the stream: trailers, or an answer without a body. */
  lastHeaders: "\x01\x05",
  lastData: "\x00\x01",
  resetStream: "\x03\x00",
  settings: "\x04\x00",
  settingsAck: "\x04\x01",
  ping: "\x06\x00",
  pingAck: "\x06\x01",
  goAway: "\x07\x00",
  windowUpdate: "\x08\x00",
} as const;

/** A frame. The payload must fit into one. */
export function frame(kind: string, stream: number, payload: string): string {
  const { length } = payload;
  return (
    String.fromCharCode(length >>> 16, (length >>> 8) & 0xff, length & 0xff) + kind + word(stream) + payload
  );
}

/** 32 bits, as four bytes. */
export function word(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

export function settingsFrame(settings: readonly (readonly [setting: number, value: number])[]): string {
  return frame(
    KIND.settings,
    0,
    settings.map(([id, value]) => `\x00${String.fromCharCode(id)}${word(value)}`).join(""),
  );
}

export function goAwayFrame(lastStream: number, number: ErrorNumber, message: string): string {
  return frame(KIND.goAway, 0, word(lastStream) + word(number) + Buffer.from(message).toString("latin1"));
}
