// gRPC on node:http2, without a framework: its cost per request is what limits the server.

import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import type { Call, Method, ServiceTable, StreamCall, StreamHandler } from "./call.ts";
import { framed, MessageReader } from "./frames.ts";
import { encodeMessage, statusOf } from "./status.ts";

const CONTENT_TYPE = "application/grpc";
/** Bytes that may wait for a slow reader before its stream counts as behind. */
const BEHIND_BYTES = 4 << 20;
const WINDOW_BYTES = 4 << 20;
const CLOSE_MS = 1000;

export interface GrpcServerOptions {
  readonly services: ServiceTable;
  readonly mostMessageBytes: number;
}

export class GrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #streams = new Set<StreamCall>();

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#server = createServer({
      settings: { initialWindowSize: WINDOW_BYTES },
      // Megabytes. What a slow reader may hold up is bounded by the streams.
      maxSessionMemory: 256,
    });
    this.#server.on("session", (session) => this.#admit(session));
    this.#server.on("stream", (stream, headers) => this.#serve(stream as ServerHttp2Stream, headers));
  }

  /** Takes over a connection that speaks HTTP/2. */
  connect(socket: Socket): void {
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
    session.setLocalWindowSize(WINDOW_BYTES);
    session.once("close", () => this.#sessions.delete(session));
    session.on("error", () => session.destroy());
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // A client that goes away is no error of the server's; "close" follows.
    stream.on("error", () => undefined);
    if (headers[":method"] !== "POST" || !headers["content-type"]?.startsWith(CONTENT_TYPE)) {
      stream.respond({ ":status": headers[":method"] === "POST" ? 415 : 405 }, { endStream: true });
      return;
    }
    let method: Method;
    try {
      method = findMethod(this.#options.services, headers[":path"] ?? "");
      checkEncoding(headers);
    } catch (error) {
      return refuse(stream, error);
    }
    if (method.kind === "unary") this.#unary(stream, method, { metadata: headers });
    else this.#stream(stream, method, headers);
  }

  #unary(stream: ServerHttp2Stream, method: Method & { kind: "unary" }, call: Call): void {
    const reader = new MessageReader(this.#options.mostMessageBytes);
    let isTaken = false;
    const take = (message: Buffer): void => {
      if (isTaken) return;
      isTaken = true;
      const answer = method.handle(message, call);
      if (typeof answer === "string") return respond(stream, answer);
      answer.then(
        (text) => respond(stream, text),
        (error: unknown) => refuse(stream, error),
      );
    };
    stream.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk, take);
      } catch (error) {
        isTaken = true;
        refuse(stream, error);
      }
    });
    stream.on("end", () => {
      if (!isTaken)
        refuse(stream, new EtcdError("INVALID_ARGUMENT", "the request has no message", { grpcStatus: 13 }));
    });
  }

  #stream(
    stream: ServerHttp2Stream,
    method: Method & { kind: "stream" },
    metadata: IncomingHttpHeaders,
  ): void {
    const call = new GrpcStreamCall(stream, metadata);
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

class GrpcStreamCall implements StreamCall {
  readonly metadata: IncomingHttpHeaders;
  readonly #stream: ServerHttp2Stream;
  #waiting = "";
  #isOver = false;

  constructor(stream: ServerHttp2Stream, metadata: IncomingHttpHeaders) {
    this.#stream = stream;
    this.metadata = metadata;
  }

  get isOver(): boolean {
    return this.#isOver || this.#stream.destroyed;
  }

  get isBehind(): boolean {
    return this.#stream.writableLength + this.#waiting.length > BEHIND_BYTES;
  }

  /** Messages that are sent in one go leave in one piece. */
  send(message: string): void {
    if (this.isOver) return;
    if (this.#waiting === "") queueMicrotask(() => this.#flush());
    this.#waiting += framed(message);
  }

  end(error?: unknown): void {
    if (this.isOver) return;
    this.#flush();
    this.#isOver = true;
    if (!this.#stream.headersSent) {
      if (error !== undefined) return refuse(this.#stream, error);
      this.#open();
    }
    sendStatusAfter(this.#stream, error);
    this.#stream.end();
  }

  #flush(): void {
    if (this.#waiting === "" || this.isOver) return;
    const bytes = Buffer.from(this.#waiting, "latin1");
    this.#waiting = "";
    if (!this.#stream.headersSent) this.#open();
    this.#stream.write(bytes);
  }

  #open(): void {
    this.#stream.respond({ ":status": 200, "content-type": CONTENT_TYPE }, { waitForTrailers: true });
  }
}

function findMethod(services: ServiceTable, path: string): Method {
  const slash = path.lastIndexOf("/");
  if (slash < 1) throw unimplemented(`malformed method name: ${JSON.stringify(path)}`);
  const [service, name] = [path.slice(1, slash), path.slice(slash + 1)];
  const methods = services.get(service);
  if (methods === undefined) throw unimplemented(`unknown service ${service}`);
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (method === undefined) throw unimplemented(`unknown method ${name} for service ${service}`);
  return method;
}

function checkEncoding(headers: IncomingHttpHeaders): void {
  const encoding = headers["grpc-encoding"];
  if (encoding === undefined || encoding === "identity") return;
  throw unimplemented(`grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`);
}

function unimplemented(message: string): EtcdError {
  return new EtcdError("UNIMPLEMENTED", message, { grpcStatus: GRPC_STATUS.UNIMPLEMENTED });
}

function respond(stream: ServerHttp2Stream, message: string): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond({ ":status": 200, "content-type": CONTENT_TYPE }, { waitForTrailers: true });
  sendStatusAfter(stream, undefined);
  stream.end(Buffer.from(framed(message), "latin1"));
}

function sendStatusAfter(stream: ServerHttp2Stream, error: unknown): void {
  stream.once("wantTrailers", () => {
    if (error === undefined) return stream.sendTrailers({ "grpc-status": "0", "grpc-message": "" });
    const { code, message } = statusOf(error);
    stream.sendTrailers({ "grpc-status": String(code), "grpc-message": encodeMessage(message) });
  });
}

/** Answers with nothing but a status. */
function refuse(stream: ServerHttp2Stream, error: unknown): void {
  if (stream.destroyed || stream.headersSent) return;
  const { code, message } = statusOf(error);
  const status = { "grpc-status": String(code), "grpc-message": encodeMessage(message) };
  stream.respond({ ":status": 200, "content-type": CONTENT_TYPE, ...status }, { endStream: true });
  // What the client still sends is let pass.
  stream.resume();
}
