// gRPC messages inside of a stream's data (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

import { gunzipSync } from "node:zlib";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import type { Budget } from "./http2/allowance.ts";
import { word } from "./http2/protocol.ts";

/** Bytes before each message: a flag and its length. */
export const PREFIX_BYTES = 5;
const LEAST_HELD_BYTES = 1024;
const NOTHING = Buffer.alloc(0);

/** A message with its prefix. */
export function framed(message: string): string {
  return `\0${word(message.length)}${message}`;
}

/** Whether a body is one message, not compressed and not too long, and nothing else. */
export function isWholeMessage(body: Buffer, mostBytes: number): boolean {
  const length = body.length - PREFIX_BYTES;
  return length >= 0 && length <= mostBytes && body[0] === 0 && body.readUInt32BE(1) === length;
}

export interface MessageReaderOptions {
  readonly mostBytes: number;
  /** `grpc-encoding` of the messages that say they are compressed. As etcd, the server knows gzip alone. */
  readonly encoding?: string | undefined;
  /** What all readers of a server may hold together. */
  readonly budget: Budget;
}

/** Puts the messages of a stream together from the pieces in which they arrive. */
export class MessageReader {
  readonly #options: MessageReaderOptions;
  /** The beginning of a message. It grows with what has come, not with what was announced. */
  #held: Buffer = NOTHING;
  #length = 0;

  constructor(options: MessageReaderOptions) {
    this.#options = options;
  }

  /** Calls `take` for each message that is complete. Throws EtcdError for what cannot be read. */
  push(chunk: Buffer, take: (message: Buffer) => void): void {
    let rest = chunk;
    while (this.#length > 0 && rest.length > 0) rest = this.#complete(rest, take);
    while (rest.length >= PREFIX_BYTES) {
      const end = PREFIX_BYTES + this.#lengthOf(rest);
      if (rest.length < end) break;
      take(this.#plain(rest.subarray(0, end)));
      rest = rest.subarray(end);
    }
    if (rest.length > 0) this.#hold(rest);
  }

  /** A message has begun and is not complete. */
  get isPartial(): boolean {
    return this.#length > 0;
  }

  /** Lets go of what is held. */
  release(): void {
    this.#options.budget.add(-this.#held.length);
    this.#held = NOTHING;
    this.#length = 0;
  }

  /** Goes on with the message that is held, as far as its prefix or its end; returns what is left. */
  #complete(chunk: Buffer, take: (message: Buffer) => void): Buffer {
    const hasPrefix = this.#length >= PREFIX_BYTES;
    const end = hasPrefix ? PREFIX_BYTES + this.#lengthOf(this.#held) : PREFIX_BYTES;
    const missing = end - this.#length;
    this.#hold(chunk.subarray(0, missing));
    const isComplete =
      this.#length >= PREFIX_BYTES && this.#length === PREFIX_BYTES + this.#lengthOf(this.#held);
    if (isComplete) {
      const whole = this.#held.subarray(0, this.#length);
      this.release();
      take(this.#plain(whole));
    }
    return chunk.subarray(missing);
  }

  #hold(bytes: Buffer): void {
    const { budget, mostBytes } = this.#options;
    const length = this.#length + bytes.length;
    if (length > this.#held.length) {
      const room = Math.min(
        Math.max(length, 2 * this.#held.length, LEAST_HELD_BYTES),
        mostBytes + PREFIX_BYTES,
      );
      const larger = Buffer.allocUnsafeSlow(room);
      this.#held.copy(larger, 0, 0, this.#length);
      budget.add(room - this.#held.length);
      this.#held = larger;
      if (budget.isSpent) throw EtcdError.refusal("TOO_MANY_REQUESTS");
    }
    bytes.copy(this.#held, this.#length);
    this.#length = length;
  }

  #lengthOf(bytes: Buffer): number {
    const { mostBytes, encoding } = this.#options;
    const [format = 0] = bytes;
    if (format > 1) throw internal(`grpc: received unexpected payload format ${format}`);
    if (format === 1 && (encoding === undefined || encoding === "identity")) {
      throw internal("grpc: compressed flag set with identity or empty encoding");
    }
    const length = bytes.readUInt32BE(1);
    if (length > mostBytes) throw tooLarge(`message larger than max (${length} vs. ${mostBytes})`);
    return length;
  }

  /** The message behind its prefix. */
  #plain(framed: Buffer): Buffer {
    const message = framed.subarray(PREFIX_BYTES);
    if (framed[0] === 0) return message;
    const { mostBytes } = this.#options;
    try {
      return gunzipSync(message, { maxOutputLength: mostBytes });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
        throw tooLarge(`message after decompression larger than max (${mostBytes + 1} vs. ${mostBytes})`);
      }
      throw internal(`grpc: failed to decompress the received message: ${(error as Error).message}`);
    }
  }
}

function internal(message: string): EtcdError {
  return new EtcdError("INTERNAL", message, { grpcStatus: GRPC_STATUS.INTERNAL });
}

function tooLarge(what: string): EtcdError {
  const { RESOURCE_EXHAUSTED: grpcStatus } = GRPC_STATUS;
  return new EtcdError("REQUEST_TOO_LARGE", `grpc: received ${what}`, { grpcStatus });
}
