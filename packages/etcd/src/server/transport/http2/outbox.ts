// What leaves on a connection. Frames that are made in one go leave in one write; data goes as far as the client's
// windows reach (RFC 9113, 5.2) and as the socket takes it, a frame of each stream in turn.

import type { Duplex } from "node:stream";
import { DEFAULT_FRAME_BYTES, DEFAULT_WINDOW } from "./protocol.ts";

/** Characters that are gathered before they are written. */
const MOST_GATHERED = 256 << 10;

/** A stream with data that could not leave at once. */
export interface Sender {
  /** Sends one frame of data, or the end. False if it can send nothing more for now. */
  sendSome(): boolean;
}

export class Outbox {
  readonly #socket: Duplex;
  readonly #ready = new Set<Sender>();
  #text = "";
  #isHeld = false;
  #isScheduled = false;
  /** Bytes of data that the client takes on the whole connection. */
  window = DEFAULT_WINDOW;
  /** Bytes of payload that the client takes in a frame. */
  frameBytes = DEFAULT_FRAME_BYTES;
  /** Bytes that wait in streams. */
  queued = 0;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** Bytes that wait for the client. */
  get waiting(): number {
    return this.queued + this.unsent;
  }

  /** Those of them that belong to no stream any more: what each frame of the client has answered at once. */
  get unsent(): number {
    return this.#text.length + this.#socket.writableLength;
  }

  /** The socket takes data, and no stream stands in line for it. */
  get isFree(): boolean {
    if (this.#text.length > MOST_GATHERED) this.#write();
    return this.#ready.size === 0 && !this.#socket.writableNeedDrain;
  }

  /** Has frames leave with the others of this turn of the event loop. */
  push(frames: string): void {
    this.#text += frames;
    if (this.#isHeld || this.#isScheduled) return;
    this.#isScheduled = true;
    // Runs when all that the same event has answered is here.
    process.nextTick(() => this.flush());
  }

  /** Keeps everything until `flush`. */
  hold(): void {
    this.#isHeld = true;
  }

  flush(): void {
    this.#isHeld = false;
    this.#isScheduled = false;
    this.#write();
  }

  /** Puts a stream in line. */
  enqueue(sender: Sender): void {
    this.#ready.add(sender);
  }

  remove(sender: Sender): void {
    this.#ready.delete(sender);
  }

  /** Sends as much as can be sent now. */
  pump(): void {
    // A stream that is put back stands at the end of the line, and the loop comes to it again.
    for (const sender of this.#ready) {
      if (this.window <= 0) return;
      if (this.#text.length > MOST_GATHERED) this.#write();
      if (this.#socket.writableNeedDrain) return;
      this.#ready.delete(sender);
      if (sender.sendSome()) this.#ready.add(sender);
    }
  }

  #write(): void {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    if (this.#socket.writable) this.#socket.write(text, "latin1");
  }
}
