// One request and its answer (RFC 9113, 5.1). A stream begins with the client's headers, so it is open, or half
// closed by the client; it is over when both ends have closed it or either has reset it.

import { ERROR, frame, KIND, word, type ErrorNumber } from "./protocol.ts";
import type { Outbox, Sender } from "./outbox.ts";

/** Bytes that may wait for a slow reader before its stream counts as behind. */
const BEHIND_BYTES = 4 << 20;
/** The same for all streams of a connection together. */
const CONNECTION_BEHIND_BYTES = 16 << 20;

/** Takes what the client sends on a stream. */
export interface StreamReceiver {
  /** Without the rest of what the client has to send there is nothing to do. */
  readonly isExpecting: boolean;
  data(bytes: Buffer): void;
  /** The client sends nothing more. */
  ended(): void;
  /** The client reads again, after {@link Stream.isBehind}. */
  drained(): void;
  /** The stream is over, for whatever reason. */
  closed(): void;
}

/** What a stream needs of those that it is one of. */
export interface StreamHome {
  readonly outbox: Outbox;
  /** Streams that are to be told when the client reads again. */
  readonly behind: Set<Stream>;
  /** Something was sent to the client. */
  sent(): void;
  closed(stream: Stream): void;
}

export class Stream implements Sender {
  readonly id: number;
  readonly #home: StreamHome;
  receiver: StreamReceiver | undefined;
  /** Bytes of data that the client takes. */
  window: number;
  /** Bytes of data that it may send. */
  receiveWindow: number;
  /** Milliseconds. */
  readonly openedAt: number;
  isRemoteClosed = false;
  isLocalClosed = false;
  isOver = false;
  hasResponded = false;
  #queue: string[] | undefined;
  #queued = 0;
  #trailers: (() => string) | undefined;

  constructor(
    id: number,
    home: StreamHome,
    start: { readonly send: number; readonly receive: number; readonly now: number },
  ) {
    this.id = id;
    this.#home = home;
    this.window = start.send;
    this.receiveWindow = start.receive;
    this.openedAt = start.now;
  }

  /** So much waits for the client that it should be sent no more for now; it is told when that is over. */
  get isBehind(): boolean {
    const isBehind = this.#queued > BEHIND_BYTES || this.#home.outbox.waiting > CONNECTION_BEHIND_BYTES;
    if (isBehind) this.#home.behind.add(this);
    return isBehind;
  }

  /** Begins the answer with a header block. */
  respond(block: string): void {
    if (this.isLocalClosed) return;
    this.hasResponded = true;
    this.#home.sent();
    this.#home.outbox.push(frame(KIND.headers, this.id, block));
  }

  /** Sends data. */
  write(data: string): void {
    if (this.isLocalClosed || this.#trailers !== undefined || data === "") return;
    if (this.#queue === undefined && this.#fits(data.length)) {
      this.#home.outbox.push(this.#dataFrame(data));
      return;
    }
    this.#queue ??= [];
    this.#queue.push(data);
    this.#count(data.length);
    this.#home.outbox.enqueue(this);
    this.#home.outbox.pump();
  }

  /** Ends the answer with a header block, which is asked for when it leaves (encoding has an order), or without one. */
  end(trailers: () => string): void {
    if (this.isLocalClosed || this.#trailers !== undefined) return;
    this.#trailers = trailers;
    if (this.#queue === undefined) this.#finish();
  }

  /** The whole answer at once: what nearly every request gets. */
  answer(headers: { opening(): string; trailers(): string }, data: string): void {
    if (this.isLocalClosed) return;
    if (!this.#fits(data.length)) {
      this.respond(headers.opening());
      this.write(data);
      return this.end(() => headers.trailers());
    }
    this.hasResponded = true;
    const { id } = this;
    const head = frame(KIND.headers, id, headers.opening()) + this.#dataFrame(data);
    this.#home.outbox.push(head + frame(KIND.lastHeaders, id, headers.trailers()));
    this.#closeLocal();
  }

  /** Gives the stream up. */
  reset(number: ErrorNumber): void {
    if (this.isOver) return;
    this.#home.outbox.push(frame(KIND.resetStream, this.id, word(number)));
    this.close();
  }

  /** Ends it without a word. */
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.isLocalClosed = true;
    this.isRemoteClosed = true;
    this.#count(-this.#queued);
    this.#queue = undefined;
    this.#home.outbox.remove(this);
    this.#home.behind.delete(this);
    this.#home.closed(this);
    this.receiver?.closed();
  }

  /** The client sends nothing more. */
  closeRemote(): void {
    this.isRemoteClosed = true;
    this.receiver?.ended();
    if (this.isLocalClosed) this.close();
  }

  /** The client takes more. */
  widen(bytes: number): void {
    this.window += bytes;
    if (this.#queue !== undefined && this.window > 0) this.#home.outbox.enqueue(this);
  }

  sendSome(): boolean {
    const queue = this.#queue;
    if (queue === undefined) return false;
    const { outbox } = this.#home;
    const most = Math.min(this.window, outbox.window, outbox.frameBytes);
    if (most <= 0) return false;
    if (queue.length > 1 && (queue[0] as string).length < most) queue.splice(0, queue.length, queue.join(""));
    const first = queue[0] as string;
    const piece = first.length <= most ? first : first.slice(0, most);
    if (piece === first) queue.shift();
    else queue[0] = first.slice(most);
    outbox.push(this.#dataFrame(piece));
    this.#count(-piece.length);
    if (queue.length > 0) return this.window > 0;
    this.#queue = undefined;
    if (this.#trailers !== undefined) this.#finish();
    return false;
  }

  #fits(bytes: number): boolean {
    const { outbox } = this.#home;
    return outbox.isFree && bytes <= this.window && bytes <= outbox.window && bytes <= outbox.frameBytes;
  }

  #dataFrame(data: string): string {
    this.window -= data.length;
    this.#home.outbox.window -= data.length;
    this.#home.sent();
    return frame(KIND.data, this.id, data);
  }

  #count(bytes: number): void {
    this.#queued += bytes;
    this.#home.outbox.queued += bytes;
  }

  #finish(): void {
    const trailers = this.#trailers?.() ?? "";
    this.hasResponded = true;
    this.#home.sent();
    const kind = trailers === "" ? KIND.lastData : KIND.lastHeaders;
    this.#home.outbox.push(frame(kind, this.id, trailers));
    this.#closeLocal();
  }

  /** A client that is still sending is told that nobody needs it (8.1). */
  #closeLocal(): void {
    this.isLocalClosed = true;
    if (this.isRemoteClosed) this.close();
    else this.reset(ERROR.none);
  }
}
