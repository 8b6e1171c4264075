import type { ServerHttp2Stream } from "node:http2";
import { finish, open, refuse } from "./answer.ts";
import type { Call, Peer, StreamCall } from "./call.ts";
import { framed } from "./frames.ts";

/** Bytes that may wait for a slow reader before its stream counts as behind. */
const BEHIND_BYTES = 4 << 20;

/** A call with many answers, on node:http2. */
export class GrpcStreamCall implements StreamCall {
  readonly metadata: Call["metadata"];
  readonly peer: Peer;
  readonly #stream: ServerHttp2Stream;
  #waiting = "";
  #isOver = false;

  constructor(stream: ServerHttp2Stream, { metadata, peer }: Call) {
    this.#stream = stream;
    this.metadata = metadata;
    this.peer = peer;
  }

  get isOver(): boolean {
    return this.#isOver || this.#stream.destroyed;
  }

  get isBehind(): boolean {
    return this.#stream.writableLength + this.#waiting.length > BEHIND_BYTES;
  }

  /** Messages that are sent in one go leave in one piece. */
  send(message: string): void {
    if (this.isOver) return;
    if (this.#waiting === "") queueMicrotask(() => this.#flush());
    this.#waiting += framed(message);
  }

  end(error?: unknown): void {
    if (this.isOver) return;
    this.#flush();
    this.#isOver = true;
    if (!this.#stream.headersSent) {
      if (error !== undefined) return refuse(this.#stream, error);
      open(this.#stream);
    }
    finish(this.#stream, error);
  }

  #flush(): void {
    if (this.#waiting === "" || this.isOver) return;
    const bytes = Buffer.from(this.#waiting, "latin1");
    this.#waiting = "";
    if (!this.#stream.headersSent) open(this.#stream);
    this.#stream.write(bytes);
  }
}
