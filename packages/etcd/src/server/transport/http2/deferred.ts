// Requests of a client for whom so much waits already that they are not begun yet. One that reads 10 MB with each of a
// hundred calls at a time gets them one after the other; one that does not read has nothing done for it.

import { ERROR } from "./protocol.ts";
import type { Stream, StreamReceiver } from "./stream.ts";

/** Bytes of requests that may wait on a connection. */
const MOST_BYTES = 4 << 20;

export interface DeferredRequest {
  readonly stream: Stream;
  /** Has it served; without a body if that is still to come. */
  readonly begin: (body: Buffer | undefined) => void;
  /** Of its headers. */
  readonly bytes: number;
  /** All of it, if it is known. */
  readonly body: Buffer | undefined;
}

export class Deferred {
  readonly #mayBegin: () => boolean;
  readonly #waiting = new Set<Held>();
  #bytes = 0;
  #isScheduled = false;

  /** `mayBegin`: little enough waits for the client. */
  constructor(mayBegin: () => boolean) {
    this.#mayBegin = mayBegin;
  }

  /** New requests have to stand in line. */
  get isNeeded(): boolean {
    return this.#waiting.size > 0 || !this.#mayBegin();
  }

  get isFull(): boolean {
    return this.#bytes > MOST_BYTES;
  }

  put(request: DeferredRequest): void {
    const held = new Held(request, {
      count: (bytes) => {
        this.#bytes += bytes;
        return !this.isFull;
      },
      closed: () => this.#waiting.delete(held),
    });
    this.#waiting.add(held);
    request.stream.receiver = held;
  }

  /** Begins what can be begun. */
  begin(): void {
    for (const held of this.#waiting) {
      if (!this.#mayBegin()) return;
      this.#waiting.delete(held);
      held.begin();
    }
  }

  /** What waited for the client may have become less, in the middle of something else. */
  freed(): void {
    if (this.#waiting.size === 0 || this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.begin();
    });
  }
}

/** Keeps what comes for a request until it begins. */
class Held implements StreamReceiver {
  readonly #request: DeferredRequest;
  readonly #home: { count(bytes: number): boolean; closed(): void };
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #isWhole: boolean;

  constructor(request: DeferredRequest, home: { count(bytes: number): boolean; closed(): void }) {
    this.#request = request;
    this.#home = home;
    this.#isWhole = request.body !== undefined;
    this.#count(request.bytes);
    if (request.body !== undefined) this.#keep(request.body);
  }

  get isExpecting(): boolean {
    return !this.#isWhole;
  }

  data(bytes: Buffer): void {
    if (!this.#keep(bytes)) this.#request.stream.reset(ERROR.enhanceYourCalm);
  }

  ended(): void {
    this.#isWhole = true;
  }

  drained(): void {}

  closed(): void {
    this.#release();
    this.#home.closed();
  }

  begin(): void {
    const { stream, begin } = this.#request;
    this.#release();
    const body = Buffer.concat(this.#pieces);
    if (this.#isWhole) return begin(body);
    // Sets the receiver that the rest is for.
    begin(undefined);
    if (body.length > 0 && !stream.isOver && stream.receiver !== this) stream.receiver?.data(body);
  }

  /** What comes is part of a larger buffer, so it is copied. False if it is too much. */
  #keep(bytes: Buffer): boolean {
    this.#pieces.push(Buffer.from(bytes));
    return this.#count(bytes.length);
  }

  #release(): void {
    this.#home.count(-this.#bytes);
    this.#bytes = 0;
  }

  #count(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#home.count(bytes);
  }
}
