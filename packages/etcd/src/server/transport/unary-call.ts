// A call with one request and one answer.

import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import type { AnswerHeaders } from "./answer-headers.ts";
import { deadline } from "./deadline.ts";
import type { Stream, StreamReceiver } from "./http2/stream.ts";
import { framed, MessageReader, type MessageReaderOptions } from "./messages.ts";

export interface UnaryCallOptions {
  readonly stream: Stream;
  readonly headers: AnswerHeaders;
  readonly messages: MessageReaderOptions;
  readonly timeout: string | undefined;
  readonly handle: (request: Buffer) => string | Promise<string>;
  /** A client that went away has left work behind (1), and that is done now (-1). */
  readonly linger: (change: number) => void;
  /** The stream is over. */
  readonly closed?: () => void;
}

export class UnaryCall implements StreamReceiver {
  readonly #options: UnaryCallOptions;
  #reader: MessageReader | undefined;
  #timer: NodeJS.Timeout | undefined;
  #state: "reading" | "working" | "answered" = "reading";

  constructor(options: UnaryCallOptions) {
    this.#options = options;
  }

  get isExpecting(): boolean {
    return this.#state === "reading";
  }

  data(bytes: Buffer): void {
    if (this.#state !== "reading") return;
    try {
      this.#reader ??= new MessageReader(this.#options.messages);
      this.#reader.push(bytes, (message) => this.take(message));
    } catch (error) {
      this.refuse(error);
    }
  }

  ended(): void {
    if (this.#state === "reading") this.refuse(endOfFile(this.#reader?.isPartial === true));
  }

  drained(): void {}

  closed(): void {
    this.#reader?.release();
    clearTimeout(this.#timer);
    if (this.#state === "working") this.#options.linger(1);
    this.#options.closed?.();
  }

  /** Takes the request. Nearly always it came at once, and what is done here decides how many there can be. */
  take(message: Buffer): void {
    if (this.#state !== "reading") return;
    this.#state = "working";
    let answer: string | Promise<string>;
    try {
      answer = this.#options.handle(message);
    } catch (error) {
      return this.refuse(error);
    }
    if (typeof answer === "string") return this.#respond(answer);
    this.#timer = deadline(this.#options.timeout, (error) => this.#abandon(error));
    answer.then(
      (text) => this.#respond(text),
      (error: unknown) => this.refuse(error),
    );
  }

  /** Answers with nothing but a status. */
  refuse(error: unknown): void {
    if (!this.#finish()) return;
    const { stream, headers } = this.#options;
    stream.end(() => headers.refusal(error));
  }

  /** Answers while the work goes on. */
  #abandon(error: EtcdError): void {
    const { stream, headers } = this.#options;
    // Closes the stream, and with it what still works counts as left behind.
    stream.end(() => headers.refusal(error));
  }

  #respond(answer: string): void {
    if (!this.#finish()) return;
    const { stream, headers } = this.#options;
    stream.answer(headers, framed(answer));
  }

  /** The work is done. False if nobody waits for the answer any more. */
  #finish(): boolean {
    const wasWorking = this.#state === "working";
    this.#state = "answered";
    if (!this.#options.stream.isOver) return true;
    if (wasWorking) this.#options.linger(-1);
    return false;
  }
}

/** A request that ended before its message, in Go's words. */
function endOfFile(isPartial: boolean): EtcdError {
  const { UNKNOWN: grpcStatus } = GRPC_STATUS;
  return new EtcdError("INVALID_ARGUMENT", isPartial ? "unexpected EOF" : "EOF", { grpcStatus });
}
