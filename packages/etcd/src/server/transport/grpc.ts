// gRPC on HTTP/2, without a framework and without node:http2: what is done for each request limits the server. See
// docs/decisions/0006-own-http2-framing.md.

import type { Duplex } from "node:stream";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import { AnswerHeaders, CONTENT_TYPE } from "./answer-headers.ts";
import type { Call, Method, Peer, ServiceTable } from "./call.ts";
import { deadlineExceeded, timeoutOf } from "./deadline.ts";
import { Budget } from "./http2/allowance.ts";
import { Connection } from "./http2/connection.ts";
import type { RequestHead } from "./http2/request-head.ts";
import type { Stream } from "./http2/stream.ts";
import type { TransportLimits } from "./limits.ts";
import { isWholeMessage, PREFIX_BYTES, type MessageReaderOptions } from "./messages.ts";
import { GrpcStreamCall } from "./stream-call.ts";
import { UnaryCall } from "./unary-call.ts";

/** Time for clients to take their last answers. */
const CLOSE_MS = 1000;
const CHECKS = 4;
const [LEAST_CHECK_MS, MOST_CHECK_MS] = [10, 5000];
/** How requests may be compressed. Answers never are. */
const ENCODINGS: ReadonlySet<string> = new Set(["identity", "gzip"]);
/** As grpc-go takes them: with a codec behind it, or with parameters. */
const IS_GRPC = /^application\/grpc(?:$|[+;])/;

export interface GrpcServerOptions {
  readonly services: ServiceTable;
  readonly mostMessageBytes: number;
  readonly limits: TransportLimits;
  /** Milliseconds. */
  readonly now: () => number;
}

/** What is not gRPC, where a listener has something to say to that. */
export type PageServer = (stream: Stream, head: RequestHead, body: Buffer | undefined) => void;

/** What belongs to one connection. */
interface Client {
  readonly peer: Peer;
  readonly headers: AnswerHeaders;
  readonly pages: PageServer | undefined;
  readonly linger: (change: number) => void;
}

/** What every call works with. */
interface CallParts {
  readonly stream: Stream;
  readonly headers: AnswerHeaders;
  readonly messages: MessageReaderOptions;
  readonly timeout: string | undefined;
}

/** A call that ends only when someone ends it. */
interface Endless {
  end(reason: EtcdError): void;
}

export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #messages: MessageReaderOptions;
  /** Methods by their path. */
  readonly #methods = new Map<string, Method>();
  readonly #connections = new Map<Connection, () => void>();
  readonly #endless = new Set<Endless>();
  readonly #checkMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    const { limits, mostMessageBytes: mostBytes } = options;
    this.#messages = { mostBytes, budget: new Budget(limits.heldBytes) };
    for (const [service, methods] of options.services) {
      for (const [name, method] of Object.entries(methods)) this.#methods.set(`/${service}/${name}`, method);
    }
    const { interval, timeout } = limits.keepalive;
    const shortest = Math.min(interval, timeout, limits.frameTime, limits.requestTime) / CHECKS;
    this.#checkMs = Math.max(LEAST_CHECK_MS, Math.min(shortest, MOST_CHECK_MS));
  }

  /** Takes over a connection that speaks HTTP/2. */
  connect(socket: Duplex, peer: Peer, pages?: PageServer): void {
    const headers = new AnswerHeaders();
    const { limits, now } = this.#options;
    const client: Client = {
      peer,
      headers,
      pages,
      linger: (change) => connection.linger(change),
    };
    const connection = new Connection(socket, {
      limits,
      now,
      request: (stream, head, body) => this.#serve(client, { stream, head, body }),
      tableSize: (bytes) => headers.limitTable(bytes),
      closed: () => {
        this.#connections.get(connection)?.();
        this.#connections.delete(connection);
        if (this.#connections.size > 0) return;
        clearInterval(this.#timer);
        this.#timer = undefined;
      },
    });
    this.#connections.set(connection, ignore);
    this.#timer ??= setInterval(() => {
      for (const each of this.#connections.keys()) each.check();
    }, this.#checkMs).unref();
  }

  /** Tells the clients, ends their streams with `reason`, and lets what is under way end, for a second at most. */
  async close(reason: EtcdError): Promise<void> {
    const connections = [...this.#connections.keys()];
    const closed = connections.map(
      (connection) => new Promise<void>((resolve) => void this.#connections.set(connection, resolve)),
    );
    for (const connection of connections) connection.drain();
    for (const call of this.#endless) call.end(reason);
    const timer = setTimeout(() => {
      for (const connection of connections) connection.destroy();
    }, CLOSE_MS);
    await Promise.all(closed);
    clearTimeout(timer);
  }

  #serve(client: Client, request: { stream: Stream; head: RequestHead; body: Buffer | undefined }): void {
    const { stream, head, body } = request;
    const { headers } = client;
    const contentType = head.value("content-type") ?? "";
    if (contentType !== CONTENT_TYPE && !IS_GRPC.test(contentType)) {
      if (client.pages !== undefined) return client.pages(stream, head, body);
      return stream.end(() => headers.refusal(noGrpc(contentType), 415));
    }
    const method = this.#methods.get(head.path);
    const timeout = head.value("grpc-timeout");
    const refusal = this.#refusal(head, method, timeout);
    if (refusal !== undefined) return stream.end(() => headers.refusal(refusal.error, refusal.httpStatus));
    if (method === undefined) return;
    const call = new GrpcCall(head, client.peer);
    const encoding = head.value("grpc-encoding");
    const messages = encoding === undefined ? this.#messages : { ...this.#messages, encoding };
    const parts: CallParts = { stream, headers, messages, timeout };
    if (method.kind === "stream") return this.#stream(method, { call, parts, body });
    const unary = this.#unary(method, { call, parts, linger: client.linger });
    stream.receiver = unary;
    if (body === undefined) return;
    if (isWholeMessage(body, this.#options.mostMessageBytes)) return unary.take(body.subarray(PREFIX_BYTES));
    unary.data(body);
    unary.ended();
  }

  /** Why a request cannot be served, in the words of grpc-go. */
  #refusal(
    head: RequestHead,
    method: Method | undefined,
    timeout: string | undefined,
  ): { readonly error: unknown; readonly httpStatus?: number } | undefined {
    if (head.method !== "POST") {
      const message = `Received a HEADERS frame with :method ${JSON.stringify(head.method)} which should be POST`;
      return { error: internal(message), httpStatus: 405 };
    }
    let isLate = false;
    try {
      isLate = timeout !== undefined && timeoutOf(timeout) <= 0;
    } catch (error) {
      return { error, httpStatus: 400 };
    }
    if (method === undefined) return { error: unknownMethod(this.#options.services, head.path) };
    const encoding = head.value("grpc-encoding");
    if (encoding !== undefined && !ENCODINGS.has(encoding)) return { error: unknownEncoding(encoding) };
    return isLate ? { error: deadlineExceeded() } : undefined;
  }

  #unary(
    method: Exclude<Method, { kind: "stream" }>,
    { call, parts, linger }: { call: Call; parts: CallParts; linger: Client["linger"] },
  ): UnaryCall {
    if (method.kind === "unary") {
      return new UnaryCall({ ...parts, linger, handle: (message) => method.handle(message, call) });
    }
    const gone = new AbortController();
    const unary: UnaryCall = new UnaryCall({
      ...parts,
      linger,
      handle: (message) => method.handle(message, call, gone.signal),
      closed: () => {
        this.#endless.delete(endless);
        gone.abort();
      },
    });
    const endless: Endless = {
      end: (reason) => {
        gone.abort(reason);
        unary.refuse(reason);
      },
    };
    this.#endless.add(endless);
    return unary;
  }

  #stream(
    method: Method & { kind: "stream" },
    { call: request, parts, body }: { call: Call; parts: CallParts; body: Buffer | undefined },
  ): void {
    const { stream, headers } = parts;
    try {
      const call: GrpcStreamCall = new GrpcStreamCall(request, {
        ...parts,
        open: (it) => method.open(it),
        closed: () => this.#endless.delete(call),
      });
      this.#endless.add(call);
      stream.receiver = call;
      // The method may have ended it at once.
      if (stream.isOver) return call.closed();
      if (body === undefined) return;
      call.data(body);
      call.ended();
    } catch (error) {
      stream.end(() => headers.refusal(error));
    }
  }
}

/** Metadata is only put together for those who ask. */
class GrpcCall implements Call {
  readonly peer: Peer;
  readonly #head: RequestHead;

  constructor(head: RequestHead, peer: Peer) {
    this.#head = head;
    this.peer = peer;
  }

  get metadata(): Call["metadata"] {
    return this.#head.metadata;
  }
}

function unknownMethod(services: ServiceTable, path: string): EtcdError {
  const name = path.startsWith("/") ? path.slice(1) : path;
  const slash = name.lastIndexOf("/");
  if (slash < 0) return unimplemented(`malformed method name: ${JSON.stringify(path)}`);
  const [service, method] = [name.slice(0, slash), name.slice(slash + 1)];
  if (!services.has(service)) return unimplemented(`unknown service ${service}`);
  return unimplemented(`unknown method ${method} for service ${service}`);
}

function unknownEncoding(encoding: string): EtcdError {
  return unimplemented(`grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`);
}

function unimplemented(message: string): EtcdError {
  return new EtcdError("UNIMPLEMENTED", message, { grpcStatus: GRPC_STATUS.UNIMPLEMENTED });
}

function internal(message: string): EtcdError {
  return new EtcdError("INTERNAL", message, { grpcStatus: GRPC_STATUS.INTERNAL });
}

function noGrpc(contentType: string): EtcdError {
  const message = `invalid gRPC request content-type ${JSON.stringify(contentType)}`;
  return new EtcdError("INVALID_ARGUMENT", message, { grpcStatus: GRPC_STATUS.INVALID_ARGUMENT });
}

function ignore(): void {}
