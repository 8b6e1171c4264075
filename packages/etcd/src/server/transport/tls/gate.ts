// The TLS side of a listener: hands on connections whose handshake is done and whose client may come in.

import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { LogFunction, TlsOptions } from "../../options.ts";
import { judgeClient } from "./client-certificate.ts";
import { CredentialFiles, type Credentials } from "./credentials.ts";

/** First byte of a TLS record that begins a handshake (RFC 8446, 5.1). */
const HANDSHAKE = 22;
/** Go's words to those who speak HTTP/1.1 in the clear. */
const PLAIN_HTTP = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
const METHODS = ["GET /", "HEAD ", "POST ", "PUT /", "OPTIO"];
const METHOD_BYTES = 5;

export interface TlsGateOptions {
  readonly log: LogFunction;
  /** Milliseconds for a handshake. */
  readonly handshakeMs: number;
  readonly admit: (socket: TLSSocket, commonName: string | undefined) => void;
  /** Takes clients that do not begin with a handshake, if there may be such. */
  readonly admitPlain: ((socket: Socket) => void) | undefined;
}

/** In etcd's words. */
const REJECTED = "rejected connection on client endpoint";

function addressOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}

export class TlsGate {
  readonly #tls: TlsOptions;
  readonly #options: TlsGateOptions;
  readonly #files: CredentialFiles;
  readonly #server: Server;
  #inForce: Credentials;

  /** Throws INVALID_ARGUMENT for certificates that cannot be used. */
  constructor(tls: TlsOptions, options: TlsGateOptions) {
    this.#tls = tls;
    this.#options = options;
    this.#files = new CredentialFiles(tls, options.log);
    this.#inForce = this.#files.current;
    this.#server = createServer({
      ...this.#inForce.identity,
      requestCert: this.#files.asksClients,
      rejectUnauthorized: this.#files.asksClients,
      handshakeTimeout: options.handshakeMs,
      ALPNProtocols: ["h2", "http/1.1"],
    });
    this.#server.on("secureConnection", (socket) => this.#judge(socket));
    this.#server.on("tlsClientError", (error, socket) => {
      options.log("warn", REJECTED, { "remote-addr": addressOf(socket), error: error.message });
      socket.destroy();
    });
  }

  /** Takes a connection of which nothing was read. */
  take(socket: Socket): void {
    const fail = (): void => void socket.destroy();
    socket.once("error", fail);
    socket.setTimeout(this.#options.handshakeMs, fail);
    socket.once("readable", () => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return fail();
      const { admitPlain } = this.#options;
      if (bytes[0] !== HANDSHAKE && admitPlain !== undefined) {
        socket.setTimeout(0);
        socket.off("timeout", fail);
        socket.off("error", fail);
        socket.unshift(bytes);
        return admitPlain(socket);
      }
      if (bytes[0] !== HANDSHAKE) {
        const isHttp = METHODS.includes(bytes.toString("latin1", 0, METHOD_BYTES));
        return isHttp ? socket.end(PLAIN_HTTP, fail) : fail();
      }
      socket.setTimeout(0);
      socket.off("timeout", fail);
      socket.off("error", fail);
      socket.unshift(bytes);
      this.#refresh();
      this.#server.emit("connection", socket);
    });
  }

  #refresh(): void {
    const { current } = this.#files;
    if (current !== this.#inForce) this.#server.setSecureContext(current.identity);
    this.#inForce = current;
  }

  #judge(socket: TLSSocket): void {
    const verdict = judgeClient(socket, this.#tls, this.#inForce.revoked);
    if (verdict.isAccepted) return this.#options.admit(socket, verdict.commonName);
    this.#options.log("warn", REJECTED, { "remote-addr": addressOf(socket), error: verdict.reason });
    socket.destroy();
  }
}
