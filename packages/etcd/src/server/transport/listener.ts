// One address for gRPC and for HTTP/1.1, in the clear or with TLS: the first bytes of a connection tell which it is.

import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { ListenOptions, LogFunction } from "../options.ts";
import type { Peer } from "./call.ts";
import type { GrpcServer } from "./grpc.ts";
import { bind } from "./bind.ts";
import { inOrder } from "./in-order.ts";
import { bridge } from "./page-bridge.ts";
import { TlsGate } from "./tls/gate.ts";

/** How every HTTP/2 connection begins (RFC 9113, 3.4); no HTTP/1.1 method does. */
const PREFACE = "PRI";
/** For the handshake and the first bytes. */
const GREETING_MS = 10_000;

/**
 * For requests of HTTP/1.1: bytes of the request line and the headers, and milliseconds for them. The time of a body
 * is bounded by who reads it: that of a watch goes on for as long as the client likes.
 */
const HTTP_LIMITS = {
  maxHeaderSize: 64 << 10,
  headersTimeout: 30_000,
  requestTimeout: 0,
  keepAliveTimeout: 0,
};

/** Where a server listens. A Unix socket has no host and no port. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** As etcd writes it: http, https, unix or unixs. */
  readonly url: string;
}

export interface ListenerParts {
  readonly grpc: GrpcServer;
  readonly http: RequestListener;
  /** Connections at a time. */
  readonly connections: number;
  readonly log: LogFunction;
}

export class Listener {
  readonly address: Address;
  readonly #server: Server;
  readonly #grpc: GrpcServer;
  readonly #http: HttpServer;
  readonly #gate: TlsGate | undefined;
  readonly #sockets = new Set<Socket>();

  private constructor(at: ListenOptions, server: Server, parts: ListenerParts) {
    this.address = addressOf(at, server);
    this.#server = server;
    this.#grpc = parts.grpc;
    this.#http = createHttpServer(HTTP_LIMITS, inOrder(parts.http));
    // It never listens itself, but this is when it begins to watch over the times that requests may take.
    this.#http.emit("listening");
    this.#gate =
      at.tls === undefined
        ? undefined
        : new TlsGate(at.tls, {
            log: parts.log,
            handshakeMs: GREETING_MS,
            admit: (socket, commonName) => this.#admit(socket, peerOf(socket, commonName)),
            admitPlain:
              at.plainToo === true ? (socket) => this.#admit(socket, peerOf(socket, undefined)) : undefined,
          });
    server.maxConnections = parts.connections;
    server.on("connection", (socket) => this.#accept(socket));
  }

  /** Rejects with the system's error if the address cannot be used, and with INVALID_ARGUMENT for bad certificates. */
  static async open(at: ListenOptions, parts: ListenerParts): Promise<Listener> {
    const server = createServer({ noDelay: true });
    await bind(server, at);
    try {
      return new Listener(at, server, parts);
    } catch (error) {
      server.close();
      throw error;
    }
  }

  /** Takes no more connections. */
  stop(): void {
    this.#server.close();
    this.#http.close();
  }

  /** Ends the connections that are left. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    if (this.#gate === undefined) this.#admit(socket, peerOf(socket, undefined));
    else this.#gate.take(socket);
  }

  /** Lets a connection in whose bytes can be read, and whose other end is known. */
  #admit(socket: Socket, peer: Peer): void {
    const fail = (): void => void socket.destroy();
    socket.once("error", fail);
    socket.setTimeout(GREETING_MS, fail);
    let held = Buffer.alloc(0);
    const sniff = (): void => {
      const bytes = socket.read() as Buffer | null;
      if (bytes !== null) held = Buffer.concat([held, bytes]);
      const text = held.toString("latin1", 0, PREFACE.length);
      if (text.length < PREFACE.length && PREFACE.startsWith(text)) {
        socket.once("readable", sniff);
        return;
      }
      socket.setTimeout(0);
      socket.off("timeout", fail);
      socket.off("error", fail);
      socket.unshift(held);
      if (text !== PREFACE) return void this.#http.emit("connection", socket);
      const pages = socket instanceof TLSSocket ? bridge(this.#http, socket) : undefined;
      this.#grpc.connect(socket, peer, pages);
    };
    sniff();
  }
}

/** Who is at the other end. On a Unix socket there is no address. */
function peerOf(socket: Socket, commonName: string | undefined): Peer {
  const { remoteAddress, remotePort } = socket;
  return { address: remoteAddress === undefined ? "@" : `${remoteAddress}:${remotePort ?? 0}`, commonName };
}

function addressOf(at: ListenOptions, server: Server): Address {
  const secure = at.tls === undefined ? "" : "s";
  if ("path" in at) return { host: "", port: 0, url: `unix${secure}://${at.path}` };
  const { address: host, port } = server.address() as AddressInfo;
  return { host, port, url: `http${secure}://${host.includes(":") ? `[${host}]` : host}:${port}` };
}
