// The update server's HTTP: machines ask for updates, fetch payloads and take turns to restart. Plain node:http,
// since an update check is small and there are many. Everything is bounded before it is read: connections, requests
// under way, bytes, and the time that a request may take to arrive.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { Capacity } from "./capacity.ts";
import { ClientAddresses } from "./client-address.ts";
import type { Decider } from "./decision.ts";
import type { EntryLog } from "./log/entry-log.ts";
import { UnreadableClients } from "./unreadable-clients.ts";
import { refuseWith, UpdateRequests } from "./update-requests.ts";

/** Something else under a path of its own, such as payloads. Every path under `prefix` is its matter. */
export interface Route {
  readonly prefix: string;
  handle(request: IncomingMessage, response: ServerResponse, path: string): void;
}

export interface UpdateEndpointOptions {
  readonly decider: Decider;
  readonly entries: Pick<EntryLog, "append" | "isWritable" | "waitingBytes">;
  readonly clock: Clock;
  readonly log: Log;
  /** Networks and addresses whose X-Forwarded-For is believed. */
  readonly trustedProxies?: readonly string[];
  /** The machine that a request proves to come from, by whatever means the caller has. */
  readonly provenMachine?: (request: IncomingMessage) => string | undefined;
  readonly routes?: readonly Route[];
  /** Update checks under way at a time. */
  readonly requests?: number;
  /** Bytes of entries that may wait for the disk. */
  readonly waitingBytes?: number;
  readonly connections?: number;
  /** Milliseconds in which a request must have arrived. */
  readonly arrivalMs?: number;
}

const REQUESTS = 2000;
const WAITING_BYTES = 8 << 20;
const CONNECTIONS = 20_000;
const ARRIVAL_MS = 5000;
const SWEEP_MS = 20;
const LONGEST_HEADERS = 16 << 10;
const paths: ReadonlySet<string> = new Set(["/v1/update/", "/v1/update"]);

export class UpdateEndpoint implements AsyncDisposable {
  readonly #server: Server;
  readonly #options: UpdateEndpointOptions;
  readonly #addresses: ClientAddresses;
  readonly #capacity: Capacity;
  readonly #updates: UpdateRequests;
  /** Who could not be understood. */
  readonly unreadable = new UnreadableClients();

  /** Throws KEEL-106 for a network of proxies that is none. */
  constructor(options: UpdateEndpointOptions) {
    const { entries, requests = REQUESTS, waitingBytes = WAITING_BYTES, arrivalMs = ARRIVAL_MS } = options;
    this.#options = options;
    this.#addresses = new ClientAddresses(options.trustedProxies ?? []);
    this.#capacity = new Capacity({ requests, waitingBytes }, () => entries.waitingBytes);
    this.#updates = new UpdateRequests({ ...options, capacity: this.#capacity, unreadable: this.unreadable });
    this.#server = createServer({
      requestTimeout: arrivalMs,
      headersTimeout: arrivalMs,
      connectionsCheckingInterval: Math.min(1000, arrivalMs),
      maxHeaderSize: LONGEST_HEADERS,
      noDelay: true,
    });
    this.#server.maxConnections = options.connections ?? CONNECTIONS;
    this.#server.on("request", (request, response) => this.#route(request, response));
    this.#server.on("checkContinue", (request, response) => this.#route(request, response));
    this.#server.on("clientError", (error, socket) => this.#onClientError(error, socket as Socket));
  }

  /** Listens on a port of an address; 0 for any that is free, which is returned. */
  async listen(port: number, host: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port, host, backlog: 4096 }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** For metrics: requests answered, under way, turned away, unreadable, and answered without a record. */
  get counts(): Readonly<Record<"answered" | "underWay" | "refused" | "unreadable" | "unrecorded", number>> {
    return {
      answered: this.#updates.answered,
      underWay: this.#capacity.requests,
      refused: this.#capacity.refused,
      unreadable: this.unreadable.total,
      unrecorded: this.#updates.unrecorded,
    };
  }

  #route(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? "/";
    const query = url.indexOf("?");
    const path = query === -1 ? url : url.slice(0, query);
    if (paths.has(path)) return this.#update(request, response);
    const route = this.#options.routes?.find(({ prefix }) => path.startsWith(prefix));
    if (route === undefined)
      return refuseWith(response, 404, "There is nothing here. Updates: POST /v1/update/\n");
    expectMore(request, response);
    route.handle(request, response, path.slice(route.prefix.length));
  }

  #update(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== "POST") {
      response.setHeader("Allow", "POST");
      return refuseWith(response, 405, "Updates are asked for with POST.\n");
    }
    if (!this.#capacity.enter()) {
      response.setHeader("Retry-After", this.#capacity.retrySeconds);
      return refuseWith(response, 503, "The update server has more to do than it can. Ask again later.\n");
    }
    expectMore(request, response);
    const proven = this.#options.provenMachine?.(request);
    this.#updates.handle(request, response, {
      address: this.#addressOf(request),
      ...(proven === undefined ? {} : { provenMachine: proven }),
    });
  }

  #addressOf(request: IncomingMessage): string {
    const forwarded = request.headers["x-forwarded-for"];
    return this.#addresses.of(
      request.socket.remoteAddress,
      Array.isArray(forwarded) ? forwarded.join(",") : forwarded,
    );
  }

  /** What came is not HTTP, or did not come in time. */
  #onClientError(error: Error & { readonly code?: string }, socket: Socket): void {
    const isGone = error.code === "ECONNRESET" || error.code === "HPE_INVALID_EOF_STATE";
    if (isGone || !socket.writable) return void socket.destroy();
    const isLate = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
    const what = isLate
      ? "the request did not arrive in time"
      : `this is not HTTP (${error.code ?? "unknown"})`;
    this.unreadable.add(
      this.#addresses.of(socket.remoteAddress, undefined),
      what,
      this.#options.clock.wall(),
    );
    const status = isLate ? "408 Request Timeout" : "400 Bad Request";
    socket.end(
      `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${what.length + 1}\r\n\r\n${what}\n`,
    );
  }

  /** Takes no more connections, answers the requests that it took, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, arrivalMs = ARRIVAL_MS } = this.#options;
    let isClosed = false;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        isClosed = true;
        resolve();
      });
    });
    const late = clock.timer(2 * arrivalMs, () => this.#server.closeAllConnections());
    // A connection is idle once its answer is sent; nobody tells of that.
    const sweep = (): void => {
      this.#server.closeIdleConnections();
      if (!isClosed) clock.timer(SWEEP_MS, sweep);
    };
    sweep();
    await closed;
    late.cancel();
  }
}

/** A client that asked whether its body is welcome is told so. */
function expectMore(request: IncomingMessage, response: ServerResponse): void {
  if (/^100-continue$/i.test(request.headers.expect ?? "")) response.writeContinue();
}
