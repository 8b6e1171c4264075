// Pages for clients that speak HTTP/2 over TLS: curl and browsers do wherever a server offers it to gRPC's clients.
// Each request becomes one of HTTP/1.1 to the server of the pages, over a pipe in this process.

import { request as httpRequest, type ClientRequest, type IncomingMessage, type Server } from "node:http";
import { duplexPair, type Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { PageServer } from "./grpc.ts";
import { literal, status } from "./http2/hpack/encoder.ts";
import { ERROR } from "./http2/protocol.ts";
import type { RequestHead } from "./http2/request-head.ts";
import type { Stream, StreamReceiver } from "./http2/stream.ts";

/** Headers that speak of one connection of HTTP/1.1 (RFC 9113, 8.2.2), and those that would wait for an answer. */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "te",
  "expect",
]);

/** Has a server of pages answer the requests of a connection. */
export function bridge(http: Server, socket: TLSSocket): PageServer {
  return (stream, head, body) => {
    const [near, far] = duplexPair();
    const { remoteAddress, remotePort } = socket;
    const getPeerCertificate = socket.getPeerCertificate.bind(socket);
    http.emit(
      "connection",
      Object.assign(far, { remoteAddress, remotePort, encrypted: true, getPeerCertificate }),
    );
    try {
      const request = httpRequest({
        createConnection: () => near,
        method: head.method,
        path: head.path,
        headers: headersOf(head),
        setHost: false,
      });
      stream.receiver = new PageCall(stream, request, near);
      if (body !== undefined) request.end(body);
    } catch {
      // Its path or a header cannot be said in HTTP/1.1.
      near.destroy();
      stream.reset(ERROR.protocol);
    }
  };
}

class PageCall implements StreamReceiver {
  readonly #request: ClientRequest;
  readonly #pipe: Duplex;
  #response: IncomingMessage | undefined;

  constructor(stream: Stream, request: ClientRequest, pipe: Duplex) {
    this.#request = request;
    this.#pipe = pipe;
    request.on("error", () => stream.reset(ERROR.internal));
    request.on("response", (response) => {
      this.#response = response;
      stream.respond(blockOf(response));
      response.on("data", (bytes: Buffer) => {
        stream.write(bytes.toString("latin1"));
        if (stream.isBehind) response.pause();
      });
      response.on("end", () => stream.end(() => ""));
      response.on("error", () => stream.reset(ERROR.internal));
    });
  }

  /** Those who answer see to it that a request comes to its end. */
  get isExpecting(): boolean {
    return false;
  }

  data(bytes: Buffer): void {
    this.#request.write(bytes);
  }

  ended(): void {
    this.#request.end();
  }

  drained(): void {
    this.#response?.resume();
  }

  closed(): void {
    this.#pipe.destroy();
  }
}

function headersOf(head: RequestHead): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { host: head.value(":authority") ?? "" };
  for (const [name, value] of Object.entries(head.metadata)) {
    if (!name.startsWith(":") && !OF_CONNECTION.has(name) && value !== undefined) headers[name] = value;
  }
  return headers;
}

function blockOf({ statusCode = 500, rawHeaders }: IncomingMessage): string {
  let block = status(statusCode);
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    if (!OF_CONNECTION.has(name)) block += literal(name, rawHeaders[at + 1] as string);
  }
  return block;
}
