// gRPC on node:http2, without a framework: its cost per request is what limits the server.

import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import { CONTENT_TYPE, refuse, respond } from "./answer.ts";
import type { Call, Method, Peer, ServiceTable, StreamHandler } from "./call.ts";
import { isWholeMessage, MessageReader, PREFIX_BYTES } from "./frames.ts";
import { GrpcStreamCall } from "./stream-call.ts";

const WINDOW_BYTES = 4 << 20;
const CLOSE_MS = 1000;
const NOBODY: Peer = { address: "", commonName: undefined };

export interface GrpcServerOptions {
  readonly services: ServiceTable;
  readonly mostMessageBytes: number;
}

export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #server: Http2Server;
  /** Methods by their path. */
  readonly #methods = new Map<string, Method>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** Calls that end only when someone ends them. */
  readonly #streams = new Set<{ end(reason: EtcdError): void }>();
  readonly #peers = new WeakMap<ServerHttp2Session, Peer>();
  /** Of the connection that is being taken over. */
  #next: Peer = NOBODY;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    for (const [service, methods] of options.services) {
      for (const [name, method] of Object.entries(methods)) this.#methods.set(`/${service}/${name}`, method);
    }
    this.#server = createServer({
      settings: { initialWindowSize: WINDOW_BYTES },
      // Megabytes. What a slow reader may hold up is bounded by the streams.
      maxSessionMemory: 256,
    });
    this.#server.on("session", (session) => this.#admit(session));
    this.#server.on("stream", (stream, headers, flags) => {
      const isBodiless = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      this.#serve(stream as ServerHttp2Stream, headers, isBodiless);
    });
  }

  /** Takes over a connection that speaks HTTP/2. */
  connect(socket: Socket, peer: Peer): void {
    this.#next = peer;
    this.#server.emit("connection", socket);
  }

  /** Tells the clients, ends their streams with `reason`, and lets what is under way end, for a second at most. */
  async close(reason: EtcdError): Promise<void> {
    const sessions = [...this.#sessions];
    const closed = sessions.map(
      (session) => new Promise<void>((resolve) => session.once("close", () => resolve())),
    );
    for (const session of sessions) session.close();
    for (const stream of this.#streams) stream.end(reason);
    const timer = setTimeout(() => {
      for (const session of sessions) session.destroy();
    }, CLOSE_MS);
    await Promise.all(closed);
    clearTimeout(timer);
  }

  #admit(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    this.#peers.set(session, this.#next);
    session.setLocalWindowSize(WINDOW_BYTES);
    session.once("close", () => this.#sessions.delete(session));
    session.on("error", () => session.destroy());
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, isBodiless: boolean): void {
    // A client that goes away is no error of the server's; "close" follows.
    stream.on("error", ignore);
    if (headers[":method"] !== "POST" || !headers["content-type"]?.startsWith(CONTENT_TYPE)) {
      stream.respond({ ":status": headers[":method"] === "POST" ? 415 : 405 }, { endStream: true });
      return;
    }
    const path = headers[":path"] ?? "";
    const method = this.#methods.get(path);
    if (method === undefined) return refuse(stream, unknownMethod(this.#options.services, path));
    const encoding = headers["grpc-encoding"];
    if (encoding !== undefined && encoding !== "identity") return refuse(stream, unknownEncoding(encoding));
    const peer = (stream.session && this.#peers.get(stream.session as ServerHttp2Session)) ?? NOBODY;
    const call: Call = { metadata: headers, peer };
    if (method.kind === "stream") this.#stream(stream, method, call);
    else if (isBodiless) refuse(stream, noMessage());
    else if (method.kind === "unary") this.#unary(stream, method.handle, call);
    else this.#waiting(stream, method, call);
  }

  /** Nearly always the request is one chunk; what is done here for each request decides how many there can be. */
  #unary(stream: ServerHttp2Stream, handle: (Method & { kind: "unary" })["handle"], call: Call): void {
    let reader: MessageReader | undefined;
    let isTaken = false;
    const take = (message: Buffer): void => {
      if (isTaken) return;
      isTaken = true;
      const answer = handle(message, call);
      if (typeof answer === "string") return respond(stream, answer);
      answer.then(
        (text) => respond(stream, text),
        (error: unknown) => refuse(stream, error),
      );
    };
    stream.on("data", (chunk: Buffer) => {
      try {
        if (reader === undefined && isWholeMessage(chunk, this.#options.mostMessageBytes)) {
          return take(chunk.subarray(PREFIX_BYTES));
        }
        if (reader === undefined) {
          reader = new MessageReader(this.#options.mostMessageBytes);
          stream.on("end", () => {
            if (!isTaken) refuse(stream, noMessage());
          });
        }
        reader.push(chunk, take);
      } catch (error) {
        isTaken = true;
        refuse(stream, error);
      }
    });
  }

  /** As {@link #unary}, for an answer that may be long in coming. */
  #waiting(stream: ServerHttp2Stream, method: Method & { kind: "waiting" }, call: Call): void {
    const gone = new AbortController();
    const waiting = {
      end: (reason: EtcdError) => {
        refuse(stream, reason);
        gone.abort(reason);
      },
    };
    this.#streams.add(waiting);
    stream.once("close", () => {
      this.#streams.delete(waiting);
      gone.abort();
    });
    this.#unary(stream, (message) => method.handle(message, call, gone.signal), call);
  }

  #stream(stream: ServerHttp2Stream, method: Method & { kind: "stream" }, request: Call): void {
    const call = new GrpcStreamCall(stream, request);
    const reader = new MessageReader(this.#options.mostMessageBytes);
    const handler: StreamHandler = method.open(call);
    this.#streams.add(call);
    stream.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk, (message) => {
          if (!call.isOver) handler.message(message);
        });
      } catch (error) {
        call.end(error);
      }
    });
    stream.on("end", () => handler.halfClosed());
    stream.on("drain", () => {
      if (!call.isOver) handler.drained();
    });
    stream.once("close", () => {
      this.#streams.delete(call);
      handler.closed();
    });
  }
}

/** What a client is told of a path that names no method, in the words of grpc-go. */
function unknownMethod(services: ServiceTable, path: string): EtcdError {
  const slash = path.lastIndexOf("/");
  if (slash < 1) return unimplemented(`malformed method name: ${JSON.stringify(path)}`);
  const [service, name] = [path.slice(1, slash), path.slice(slash + 1)];
  if (!services.has(service)) return unimplemented(`unknown service ${service}`);
  return unimplemented(`unknown method ${name} for service ${service}`);
}

function unknownEncoding(encoding: string | string[]): EtcdError {
  return unimplemented(`grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`);
}

function unimplemented(message: string): EtcdError {
  return new EtcdError("UNIMPLEMENTED", message, { grpcStatus: GRPC_STATUS.UNIMPLEMENTED });
}

function noMessage(): EtcdError {
  const { INTERNAL } = GRPC_STATUS;
  return new EtcdError("INVALID_ARGUMENT", "the request ended before its message", { grpcStatus: INTERNAL });
}

function ignore(): void {}
