// The header blocks of answers. All good answers of a connection have the same, so the client keeps their fields in
// its table and is sent three bytes instead of sixty.

import { FIRST_DYNAMIC, indexed, literal, NO_TABLE, status } from "./http2/hpack/encoder.ts";
import { encodeMessage, statusOf } from "./status.ts";

export const CONTENT_TYPE = "application/grpc";
const OK = status(200);
const TYPE = literal("content-type", CONTENT_TYPE);
/** What a client's table has room for unless it says otherwise (RFC 9113, 6.5.2). */
const DEFAULT_TABLE_BYTES = 4096;

export class AnswerHeaders {
  /** Blocks as they are sent next. They must leave in the order in which they are asked for. */
  #opening = OK + literal("content-type", CONTENT_TYPE, true);
  #trailers = literal("grpc-status", "0", true) + literal("grpc-message", "", true);
  #kept: "nothing" | "type" | "all" = "nothing";
  #keepsNothing = false;
  /** Stands before the next block. */
  #prefix = "";

  /** A client with a smaller table than usual gets everything in words. */
  limitTable(bytes: number): void {
    if (bytes >= DEFAULT_TABLE_BYTES || this.#keepsNothing) return;
    this.#keepsNothing = true;
    this.#prefix = NO_TABLE;
    this.#opening = OK + TYPE;
    this.#trailers = literal("grpc-status", "0") + literal("grpc-message", "");
  }

  /** Begins an answer. */
  opening(): string {
    const block = this.#begun(this.#opening);
    if (this.#kept === "nothing" && !this.#keepsNothing) {
      this.#kept = "type";
      this.#opening = OK + indexed(FIRST_DYNAMIC);
    }
    return block;
  }

  /** Ends a good answer. */
  trailers(): string {
    const block = this.#begun(this.#trailers);
    if (this.#kept === "type" && !this.#keepsNothing) {
      this.#kept = "all";
      // The newest field comes first.
      this.#trailers = indexed(FIRST_DYNAMIC + 1) + indexed(FIRST_DYNAMIC);
      this.#opening = OK + indexed(FIRST_DYNAMIC + 2);
    }
    return block;
  }

  /** Ends an answer that went wrong. */
  failure(error: unknown): string {
    const { code, message } = statusOf(error);
    return this.#begun(
      literal("grpc-status", String(code)) + literal("grpc-message", encodeMessage(message)),
    );
  }

  /** A whole answer without a message. */
  refusal(error: unknown, httpStatus = 200): string {
    return this.#begun(status(httpStatus) + TYPE) + this.failure(error);
  }

  #begun(block: string): string {
    const whole = this.#prefix + block;
    this.#prefix = "";
    return whole;
  }
}
