// A call with many requests and answers.

import type { AnswerHeaders } from "./answer-headers.ts";
import type { Call, Peer, StreamCall, StreamHandler } from "./call.ts";
import { deadline } from "./deadline.ts";
import type { Stream, StreamReceiver } from "./http2/stream.ts";
import { framed, MessageReader, type MessageReaderOptions } from "./messages.ts";

/** Bytes of messages that are gathered before they are handed on. */
const MOST_GATHERED = 64 << 10;

export interface StreamCallOptions {
  readonly stream: Stream;
  readonly headers: AnswerHeaders;
  readonly messages: MessageReaderOptions;
  readonly timeout: string | undefined;
  readonly open: (call: StreamCall) => StreamHandler;
  readonly closed: () => void;
}

export class GrpcStreamCall implements StreamCall, StreamReceiver {
  readonly metadata: Call["metadata"];
  readonly peer: Peer;
  readonly #options: StreamCallOptions;
  readonly #handler: StreamHandler;
  readonly #reader: MessageReader;
  readonly #timer: NodeJS.Timeout | undefined;
  #waiting = "";
  #isOver = false;

  constructor({ metadata, peer }: Call, options: StreamCallOptions) {
    this.metadata = metadata;
    this.peer = peer;
    this.#options = options;
    this.#reader = new MessageReader(options.messages);
    this.#handler = options.open(this);
    this.#timer = deadline(options.timeout, (error) => this.end(error));
  }

  /** It may stay silent for as long as it likes. */
  get isExpecting(): boolean {
    return false;
  }

  get isBehind(): boolean {
    // Who sends until it is behind must get there.
    if (this.#waiting.length > MOST_GATHERED) this.#flush();
    return this.#options.stream.isBehind;
  }

  /** Messages that are sent in one go leave in one piece. */
  send(message: string): void {
    if (this.#isOver) return;
    if (this.#waiting === "") queueMicrotask(() => this.#flush());
    this.#waiting += framed(message);
  }

  end(error?: unknown): void {
    if (this.#isOver) return;
    this.#flush();
    this.#isOver = true;
    const { stream, headers } = this.#options;
    if (error === undefined && !stream.hasResponded) stream.respond(headers.opening());
    const hasResponded = stream.hasResponded;
    stream.end(() => {
      if (error === undefined) return headers.trailers();
      return hasResponded ? headers.failure(error) : headers.refusal(error);
    });
  }

  data(bytes: Buffer): void {
    this.#guarded(() => {
      this.#reader.push(bytes, (message) => {
        if (!this.#isOver) this.#handler.message(message);
      });
    });
  }

  ended(): void {
    this.#guarded(() => this.#handler.halfClosed());
  }

  drained(): void {
    this.#guarded(() => this.#handler.drained());
  }

  closed(): void {
    this.#isOver = true;
    this.#reader.release();
    clearTimeout(this.#timer);
    this.#options.closed();
    this.#handler.closed();
  }

  /** What goes wrong in a call ends that call. */
  #guarded(action: () => void): void {
    if (this.#isOver) return;
    try {
      action();
    } catch (error) {
      this.end(error);
    }
  }

  #flush(): void {
    if (this.#waiting === "" || this.#isOver) return;
    const { stream, headers } = this.#options;
    const data = this.#waiting;
    this.#waiting = "";
    if (!stream.hasResponded) stream.respond(headers.opening());
    stream.write(data);
  }
}
