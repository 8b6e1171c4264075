import { EtcdError, GRPC_STATUS } from "../../errors.ts";

/** Bytes before each message: a flag and its length. */
export const PREFIX_BYTES = 5;

/** A gRPC message with its prefix (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
export function framed(message: string): string {
  const { length } = message;
  return (
    String.fromCharCode(0, length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff) +
    message
  );
}

/** Whether a chunk is one message, not compressed and not too long, and nothing else. */
export function isWholeMessage(chunk: Buffer, mostBytes: number): boolean {
  const length = chunk.length - PREFIX_BYTES;
  return length >= 0 && length <= mostBytes && chunk[0] === 0 && chunk.readUInt32BE(1) === length;
}

/** Puts the messages of a stream together from the pieces in which they arrive. */
export class MessageReader {
  readonly #mostBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Calls `take` for each message that is complete. Throws EtcdError for what cannot be read. */
  push(chunk: Buffer, take: (message: Buffer) => void): void {
    let rest = chunk;
    if (this.#bytes > 0) {
      this.#pieces.push(chunk);
      this.#bytes += chunk.length;
      if (this.#bytes < PREFIX_BYTES || this.#bytes < this.#wanted()) return;
      rest = Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.#bytes = 0;
    }
    while (rest.length >= PREFIX_BYTES) {
      const end = PREFIX_BYTES + this.#lengthOf(rest);
      if (rest.length < end) break;
      take(rest.subarray(PREFIX_BYTES, end));
      rest = rest.subarray(end);
    }
    if (rest.length > 0) {
      this.#pieces = [rest];
      this.#bytes = rest.length;
    }
  }

  #wanted(): number {
    const [first] = this.#pieces;
    if (first === undefined || first.length >= PREFIX_BYTES)
      return PREFIX_BYTES + this.#lengthOf(first ?? Buffer.alloc(5));
    const head = Buffer.concat(this.#pieces);
    this.#pieces = [head];
    return PREFIX_BYTES + this.#lengthOf(head);
  }

  #lengthOf(bytes: Buffer): number {
    if (bytes[0] !== 0) {
      const code = GRPC_STATUS.UNIMPLEMENTED;
      throw new EtcdError("UNIMPLEMENTED", "grpc: compressed messages are not supported", {
        grpcStatus: code,
      });
    }
    const length = bytes.readUInt32BE(1);
    if (length > this.#mostBytes) {
      const message = `grpc: received message larger than max (${length} vs. ${this.#mostBytes})`;
      throw new EtcdError("REQUEST_TOO_LARGE", message, { grpcStatus: GRPC_STATUS.RESOURCE_EXHAUSTED });
    }
    return length;
  }
}
