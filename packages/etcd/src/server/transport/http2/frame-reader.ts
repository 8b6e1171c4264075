import {
  ConnectionError,
  DEFAULT_FRAME_BYTES,
  ERROR,
  FLAG,
  FRAME,
  FRAME_HEAD_BYTES,
  MOST_STREAM_ID,
} from "./protocol.ts";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The frame that begins at a place (RFC 9113, 4.1), or undefined while it is incomplete. Throws for one too large. */
export function readFrame(bytes: Buffer, at: number, mostBytes = DEFAULT_FRAME_BYTES): Frame | undefined {
  if (bytes.length - at < FRAME_HEAD_BYTES) return undefined;
  const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  if (length > mostBytes) throw new ConnectionError(ERROR.frameSize, "a frame is too large");
  const start = at + FRAME_HEAD_BYTES;
  if (bytes.length - start < length) return undefined;
  return {
    type: bytes[at + 3] as number,
    flags: bytes[at + 4] as number,
    stream: bytes.readUInt32BE(at + 5) & MOST_STREAM_ID,
    payload: bytes.subarray(start, start + length),
  };
}

/** Where a frame may stand, and how long it is (6). */
const FORMS: Readonly<
  Record<
    number,
    { readonly name: string; readonly on: "stream" | "connection" | "either"; readonly bytes?: number }
  >
> = {
  [FRAME.data]: { name: "DATA", on: "stream" },
  [FRAME.headers]: { name: "HEADERS", on: "stream" },
  [FRAME.priority]: { name: "PRIORITY", on: "stream" },
  [FRAME.resetStream]: { name: "RST_STREAM", on: "stream", bytes: 4 },
  [FRAME.settings]: { name: "SETTINGS", on: "connection" },
  [FRAME.ping]: { name: "PING", on: "connection", bytes: 8 },
  [FRAME.goAway]: { name: "GOAWAY", on: "connection" },
  [FRAME.windowUpdate]: { name: "WINDOW_UPDATE", on: "either", bytes: 4 },
  [FRAME.continuation]: { name: "CONTINUATION", on: "stream" },
};

/** Throws for a frame that no client may send in this form. */
export function checkFrame({ type, stream, payload }: Frame): void {
  if (type === FRAME.pushPromise) throw new ConnectionError(ERROR.protocol, "a client cannot push");
  const form = FORMS[type];
  if (form === undefined) return;
  const { name, on, bytes = payload.length } = form;
  if (payload.length !== bytes) throw new ConnectionError(ERROR.frameSize, `${name} has ${bytes} bytes`);
  if (on === "connection" && stream !== 0) {
    throw new ConnectionError(ERROR.protocol, `${name} is for the whole connection`);
  }
  // Streams of a client have odd numbers (5.1.1); the server begins none.
  if (stream % 2 === 0 && (on === "stream" || stream !== 0)) {
    throw new ConnectionError(ERROR.protocol, `${name} is for a stream of the client's`);
  }
}

/** The payload without its padding (6.1). */
export function unpadded({ flags, payload }: Frame): Buffer {
  if ((flags & FLAG.padded) === 0) return payload;
  const padding = payload[0];
  if (padding === undefined) throw new ConnectionError(ERROR.frameSize, "a padded frame is empty");
  if (padding >= payload.length) throw new ConnectionError(ERROR.protocol, "a frame is all padding");
  return payload.subarray(1, payload.length - padding);
}
