import {
  ConnectionError,
  DEFAULT_FRAME_BYTES,
  ERROR,
  FLAG,
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

/** The payload without its padding (6.1). */
export function unpadded({ flags, payload }: Frame): Buffer {
  if ((flags & FLAG.padded) === 0) return payload;
  const padding = payload[0];
  if (padding === undefined) throw new ConnectionError(ERROR.frameSize, "a padded frame is empty");
  if (padding >= payload.length) throw new ConnectionError(ERROR.protocol, "a frame is all padding");
  return payload.subarray(1, payload.length - padding);
}
