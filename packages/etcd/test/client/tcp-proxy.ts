// A piece of network to break: forwards TCP connections to a port, or stops doing so in various ways.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

export class TcpProxy implements AsyncDisposable {
  #target: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #server: Server | undefined;
  #port = 0;
  #silent = false;
  #answersLost = false;
  #held: (() => void)[] = [];
  connections = 0;

  private constructor(target: number) {
    this.#target = target;
  }

  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await proxy.accept();
    return proxy;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Listens, at the same port as before if there was one. */
  async accept(): Promise<void> {
    this.#server = createServer((near) => this.#connected(near)).listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Refuses new connections and cuts the present ones. */
  async refuse(): Promise<void> {
    this.#server?.close();
    this.cut();
    if (this.#server !== undefined) await once(this.#server, "close");
    this.#server = undefined;
  }

  /** Ends every connection. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Keeps all connections and accepts new ones, but moves not a byte. */
  silence(): void {
    this.#silent = true;
  }

  /** Forwards again; what was held back arrives late, as after a healed partition. */
  heal(): void {
    this.#silent = false;
    this.#answersLost = false;
    for (const release of this.#held.splice(0)) release();
  }

  /** From now on requests arrive, and answers do not. */
  loseAnswers(): void {
    this.#answersLost = true;
  }

  /** New connections go to another port from now on. */
  redirect(target: number): void {
    this.#target = target;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server === undefined) this.cut();
    else await this.refuse();
  }

  #connected(near: Socket): void {
    this.connections++;
    const far = connect(this.#target, "127.0.0.1");
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    this.#forward(near, far, () => this.#silent);
    this.#forward(far, near, () => this.#silent || this.#answersLost);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
  }

  #forward(from: Socket, to: Socket, stuck: () => boolean): void {
    from.on("data", (data) => {
      if (stuck()) this.#held.push(() => to.write(data));
      else to.write(data);
    });
  }
}
