// One port for gRPC and for HTTP/1.1: the first bytes of a connection tell which it is.

import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { readGreeting, SETTINGS_FRAME } from "./greeting.ts";
import type { GrpcServer } from "./grpc.ts";

/** How every HTTP/2 connection begins (RFC 9113, 3.4); no HTTP/1.1 method does. */
const PREFACE = "PRI";
const SNIFF_MS = 10_000;
/** A beginning longer than this is handed over as it is. No client may send so much before it is answered. */
const MOST_HELD_BYTES = 256 << 10;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export class Listener {
  readonly address: Address;
  readonly #server: Server;
  readonly #http: HttpServer;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, grpc: GrpcServer, http: RequestListener) {
    const { address, port } = server.address() as AddressInfo;
    this.address = { host: address, port };
    this.#server = server;
    this.#http = createHttpServer(http);
    server.on("connection", (socket) => this.#accept(socket, grpc));
  }

  /** Rejects with the system's error if the address cannot be used. */
  static async open(at: Address, grpc: GrpcServer, http: RequestListener): Promise<Listener> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: at.host, port: at.port }, () => {
        server.off("error", reject);
        resolve();
      });
    });
    return new Listener(server, grpc, http);
  }

  /** Takes no more connections. */
  stop(): void {
    this.#server.close();
    this.#http.closeIdleConnections();
  }

  /** Ends the connections that are left. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket, grpc: GrpcServer): void {
    this.#sockets.add(socket);
    const fail = (): void => void socket.destroy();
    socket.once("close", () => this.#sockets.delete(socket));
    socket.once("error", fail);
    socket.setTimeout(SNIFF_MS, fail);
    let held = Buffer.alloc(0);
    let greeted = false;
    const handOver = (bytes: Buffer, take: (socket: Socket) => void): void => {
      socket.setTimeout(0);
      socket.off("timeout", fail);
      socket.off("error", fail);
      socket.unshift(bytes);
      take(socket);
    };
    const sniff = (): void => {
      const bytes = socket.read() as Buffer | null;
      if (bytes !== null) held = Buffer.concat([held, bytes]);
      const text = held.toString("latin1", 0, PREFACE.length);
      if (text.length < PREFACE.length && PREFACE.startsWith(text))
        return void socket.once("readable", sniff);
      if (text !== PREFACE) return handOver(held, (it) => void this.#http.emit("connection", it));
      const greeting = readGreeting(held, greeted);
      if (greeting.state === "ready" || held.length > MOST_HELD_BYTES)
        return handOver(greeting.bytes, (it) => grpc.connect(it));
      if (greeting.state === "greet") {
        greeted = true;
        socket.write(SETTINGS_FRAME);
        // From here on it is a connection without requests: it may be silent.
        socket.setTimeout(0);
      }
      socket.once("readable", sniff);
    };
    sniff();
  }
}
