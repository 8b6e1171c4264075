// One HTTP server on the socket and one for each TCP address, all with the same limits.
import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { RequestError, getRequestListener } from "@hono/node-server";
import type { HttpBindings } from "@hono/node-server";
import { KeelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { checkAccess, pathOf } from "./access.ts";
import type { Entrance } from "./access.ts";
import { errorAnswer, errorBodyOf } from "./answer.ts";
import { fleetError } from "./fleet/answer.ts";
import { isFleetPath } from "./fleet/paths.ts";
import { listenOnSocket, listening } from "./socket.ts";

/** What a route gets beside its request. */
export type Bindings = HttpBindings & { readonly incoming: IncomingMessage; readonly entrance: Entrance };
export type Answerer = (request: Request, bindings: Bindings) => Response | Promise<Response>;

const maxConnections = 512;
const headersMs = 10_000;
const tcpHeaderBytes = 16 << 10;
/** Two of the store's longest keys, as base64 in a URL, and what else there is. */
const socketHeaderBytes = 112 << 10;
/** A connection without a request is closed after this long. */
const readerIdleMs = 5000;
/** Go's clients of fleet's API keep theirs, and take one that closes as they ask for a failure. */
const clientIdleMs = 120_000;
/** A whole request, its body included: an archive of 4 GiB at 10 MB/s takes 7 minutes. */
const requestMs = 30 * 60_000;

export interface ListenerOptions {
  readonly answer: Answerer;
  /** Host names under which this machine may be asked, lower case. */
  readonly names: ReadonlySet<string>;
  readonly log: Log;
  /** Refusals are told as fleet tells them, whatever was asked for. */
  readonly speaksFleet?: boolean;
}

/** A listener that is closed with all its connections. */
export class Listener implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async onSocket(path: string, options: ListenerOptions): Promise<Listener> {
    const server = httpServer("socket", options);
    await listenOnSocket(server, path);
    return new Listener(server);
  }

  /** KEEL-106 when the address cannot be listened on. Port 0 takes a free one. */
  static async onTcp(
    address: { readonly host: string; readonly port: number },
    options: ListenerOptions,
    entrance: "tcp" | "open-tcp" = "tcp",
  ): Promise<Listener> {
    const server = httpServer(entrance, options);
    server.listen({ host: address.host, port: address.port });
    try {
      await listening(server);
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
      throw new KeelError(
        "KEEL-106",
        `${entrance === "tcp" ? "api" : "fleet"}.listen: ${address.host}:${address.port} cannot be listened on (${why})`,
        { cause },
      );
    }
    return new Listener(server);
  }

  /** The port that was taken; 0 for the socket. */
  get port(): number {
    const address = this.#server.address() as AddressInfo | string | null;
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

function httpServer(entrance: Entrance, options: ListenerOptions): Server {
  const listener = getRequestListener(
    async (request, bindings) => {
      const { incoming, outgoing } = bindings as HttpBindings;
      try {
        checkAccess(incoming, entrance, options.names);
      } catch (error) {
        if (options.speaksFleet === true || isFleetPath(pathOf(incoming))) return fleetError(error);
        throw error;
      }
      return options.answer(request, { incoming, outgoing, entrance });
    },
    {
      hostname: "localhost",
      overrideGlobalObjects: false,
      errorHandler(error) {
        const own = error instanceof RequestError ? new KeelError("KEEL-104", error.message) : error;
        if (!(own instanceof KeelError)) options.log.error("a request failed", { error: own });
        const { body, status } = errorBodyOf(own);
        return errorAnswer(body, status);
      },
    },
  );
  const server = createServer(
    {
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: entrance === "tcp" ? readerIdleMs : clientIdleMs,
      maxHeaderSize: entrance === "socket" ? socketHeaderBytes : tcpHeaderBytes,
    },
    (incoming, outgoing) => void listener(incoming, outgoing),
  );
  server.maxConnections = maxConnections;
  return server;
}
