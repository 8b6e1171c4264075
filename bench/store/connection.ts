import { connect } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { FLAG, FRAME, frame, FrameScanner, preface, type FrameHead, type Route } from "./frames.ts";

const READ_BYTES = 1 << 18;

/** Where a server listens, and the authority of its certificate if it speaks TLS. */
export interface Address {
  readonly port: number;
  readonly ca: Buffer | undefined;
}

/** What is done with what comes back on a connection. */
export interface Answers {
  readonly wantsData?: boolean;
  data?(stream: number, bytes: Buffer): void;
  frame(head: FrameHead): void;
  /** Everything that one read brought has been taken. */
  batch?(): void;
  failed(error: Error): void;
}

/** An HTTP/2 connection that keeps itself alive and hands over the rest. */
export class Connection {
  readonly route: Route;
  readonly #answers: Answers;
  readonly #scanner: FrameScanner;
  readonly #socket: Socket;
  #isOver = false;

  private constructor({ port, ca }: Address, path: string, answers: Answers) {
    this.#answers = answers;
    this.route = { path, authority: `127.0.0.1:${port}`, scheme: ca === undefined ? "http" : "https" };
    const sink = {
      data: (stream: number, bytes: Buffer) => answers.data?.(stream, bytes),
      frame: (head: FrameHead, payload: Buffer) => this.#frame(head, payload),
    };
    this.#scanner = new FrameScanner(sink, answers.wantsData ?? false);
    const callback = (count: number, buffer: Uint8Array): boolean => {
      this.#take(buffer.subarray(0, count) as Buffer);
      return true;
    };
    const onread = { buffer: Buffer.allocUnsafe(READ_BYTES), callback };
    const where = { host: "127.0.0.1", port, noDelay: true, onread };
    this.#socket = ca === undefined ? connect(where) : connectTls({ ...where, ca, ALPNProtocols: ["h2"] });
  }

  static async open(address: Address, path: string, answers: Answers): Promise<Connection> {
    const connection = new Connection(address, path, answers);
    const socket = connection.#socket;
    await new Promise<void>((resolve, reject) => {
      socket.once(address.ca === undefined ? "connect" : "secureConnect", resolve).once("error", reject);
    });
    socket.on("error", (error) => connection.#fail(error));
    socket.on("close", () => connection.#fail(new Error("the server closed the connection")));
    socket.write(preface());
    return connection;
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    try {
      this.#scanner.push(bytes);
      this.#answers.batch?.();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #frame(head: FrameHead, payload: Buffer): void {
    const { type, flags } = head;
    if (type === FRAME.data || type === FRAME.headers) return this.#answers.frame(head);
    if (type === FRAME.goAway || type === FRAME.reset) {
      const what = type === FRAME.reset ? "a call" : "the connection";
      throw new Error(`the server ended ${what}: ${payload.toString("hex")}`);
    }
    if ((flags & FLAG.ack) !== 0) return;
    if (type === FRAME.settings) this.#acknowledge(type, Buffer.alloc(0));
    if (type === FRAME.ping) this.#acknowledge(type, payload);
  }

  #acknowledge(type: number, payload: Buffer): void {
    this.write(frame(type, FLAG.ack, { stream: 0, payload }));
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.close();
    this.#answers.failed(error);
  }
}
