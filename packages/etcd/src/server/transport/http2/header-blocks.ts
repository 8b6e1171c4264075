// Header blocks out of HEADERS and CONTINUATION frames (RFC 9113, 4.3). A block must come in one piece, so it is
// bounded in size and in frames; blocks that came before and mean the same are not read again.

import { HpackDecoder, type Fields } from "./hpack/decoder.ts";
import { ConnectionError, ERROR, FLAG, FRAME } from "./protocol.ts";
import { unpadded, type Frame } from "./frame-reader.ts";
import { RequestHead } from "./request-head.ts";

const TABLE_BYTES = 4096;
const PRIORITY_BYTES = 5;
/** Frames of one block: a block of the largest size in frames of the usual size, and then some. */
const MOST_FRAMES = 32;
/** Heads that are kept for blocks that come again, and the length of such a block. */
const MOST_KEPT = 64;
const MOST_KEPT_BYTES = 256;

/** A block that is complete. */
export interface HeaderBlock {
  readonly stream: number;
  readonly isLast: boolean;
  readonly bytes: Buffer;
}

export class HeaderBlocks {
  readonly #decoder: HpackDecoder;
  readonly #mostBytes: number;
  readonly #kept = new Map<string, RequestHead>();
  #changes = 0;
  #open:
    | { readonly stream: number; readonly isLast: boolean; readonly pieces: Buffer[]; bytes: number }
    | undefined;

  constructor(mostListBytes: number) {
    this.#decoder = new HpackDecoder(TABLE_BYTES, mostListBytes);
    this.#mostBytes = mostListBytes;
  }

  /** A block has begun, and nothing else may come before its end. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Takes a HEADERS or CONTINUATION frame. */
  take(frame: Frame): HeaderBlock | undefined {
    if (frame.type === FRAME.headers) return this.#begin(frame);
    const open = this.#open;
    if (open === undefined || open.stream !== frame.stream || frame.type !== FRAME.continuation) {
      throw new ConnectionError(
        ERROR.protocol,
        "a header block is interrupted, or continued without having begun",
      );
    }
    open.pieces.push(frame.payload);
    open.bytes += frame.payload.length;
    if (open.bytes > this.#mostBytes || open.pieces.length > MOST_FRAMES) {
      throw new ConnectionError(ERROR.enhanceYourCalm, "a header block is too large");
    }
    if ((frame.flags & FLAG.endHeaders) === 0) return undefined;
    this.#open = undefined;
    return { stream: open.stream, isLast: open.isLast, bytes: Buffer.concat(open.pieces) };
  }

  /** What a request's block says; undefined if it is too large or malformed. */
  head(bytes: Buffer): RequestHead | "too large" | "malformed" {
    const key = bytes.length <= MOST_KEPT_BYTES ? bytes.toString("latin1") : undefined;
    const known = key === undefined ? undefined : this.#kept.get(key);
    if (known !== undefined) return known;
    const before = this.#decoder.changes;
    const fields = this.fields(bytes);
    if (fields === undefined) return "too large";
    const head = RequestHead.of(fields);
    if (head === undefined) return "malformed";
    if (key !== undefined && before === this.#decoder.changes && this.#kept.size < MOST_KEPT) {
      this.#kept.set(key, head);
    }
    return head;
  }

  /** The fields of any block; undefined if they are too large. */
  fields(bytes: Buffer): Fields | undefined {
    const fields = this.#decoder.decode(bytes);
    if (this.#changes !== this.#decoder.changes) {
      this.#changes = this.#decoder.changes;
      this.#kept.clear();
    }
    return fields;
  }

  #begin(frame: Frame): HeaderBlock | undefined {
    if (this.#open !== undefined) throw new ConnectionError(ERROR.protocol, "a header block is interrupted");
    let bytes = unpadded(frame);
    if ((frame.flags & FLAG.priority) !== 0) {
      if (bytes.length < PRIORITY_BYTES)
        throw new ConnectionError(ERROR.frameSize, "a priority is cut short");
      bytes = bytes.subarray(PRIORITY_BYTES);
    }
    const { stream } = frame;
    const isLast = (frame.flags & FLAG.endStream) !== 0;
    if ((frame.flags & FLAG.endHeaders) !== 0) return { stream, isLast, bytes };
    this.#open = { stream, isLast, pieces: [bytes], bytes: bytes.length };
    return undefined;
  }
}
