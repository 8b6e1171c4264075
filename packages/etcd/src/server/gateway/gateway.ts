// etcd's services in JSON over HTTP/1.1, for whoever has no gRPC: the paths and the form of grpc-gateway 1.16, which
// etcd 3.5 is built with. A request is turned into the message of its method and handed to the same service that
// gRPC calls, in this process.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import type { Call, Method, ServiceTable, StreamHandler } from "../transport/call.ts";
import { send, type HttpHandler, type HttpTable } from "../transport/http.ts";
import { answerJson } from "./answer-message.ts";
import { deadlineExceeded, failureOf, tooLarge } from "./failure.ts";
import { JsonSplitter } from "./json-splitter.ts";
import { JsonError, parseJson, type JsonValue } from "./json-value.ts";
import { metadataOf, timeoutOf } from "./metadata.ts";
import { encodeRequest } from "./request-message.ts";
import { ROUTES } from "./routes.ts";
import { GatewayStreamCall } from "./stream-call.ts";
import { Turnstile } from "./turnstile.ts";

const PREFIXES = ["/v3/", "/v3beta/"];
/** Bytes of JSON to a byte of its message: base64 takes 1.34, an escaped letter of it six times as much. */
const JSON_SHARE = 2;
const BODY_MS = 60_000;
const HEADERS = {
  "content-type": "application/json",
  "grpc-metadata-content-type": "application/grpc",
} as const;

export interface GatewayOptions {
  readonly services: ServiceTable;
  readonly mostMessageBytes: number;
  /** Calls that may be under way at a time; those above wait. */
  readonly mostCalls: number;
}

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #streams = new Set<GatewayStreamCall>();
  readonly #turnstile: Turnstile;
  /** Pages of the gateway. */
  readonly pages: HttpTable;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#turnstile = new Turnstile(options.mostCalls);
    const pages = new Map<string, HttpHandler>();
    for (const prefix of PREFIXES) {
      pages.set(prefix, (_request, response) => send(response, 404, "Not Found\n"));
      for (const { path, service, method } of ROUTES) {
        pages.set(`${prefix}${path}`, (request, response) =>
          this.#serve(request, response, { service, method }),
        );
      }
    }
    this.pages = pages;
  }

  /** Ends the calls that have many answers. */
  close(reason: EtcdError): void {
    for (const stream of this.#streams) stream.end(reason);
  }

  #serve(
    request: IncomingMessage,
    response: ServerResponse,
    { service, method }: { readonly service: string; readonly method: DescMethod },
  ): void {
    if (request.method !== "POST") return send(response, 405, "Method Not Allowed\n");
    const target = this.#options.services.get(service)?.[method.name];
    if (target === undefined) return fail(response, unknownMethod(service, method.name));
    const { remoteAddress = "", remotePort = 0 } = request.socket;
    // As etcd's gateway, this one does not speak in the name of its client's certificate.
    const peer = { address: `${remoteAddress}:${remotePort}`, commonName: undefined };
    const call: Call = { metadata: metadataOf(request.headers), peer };
    const begin = (): void => {
      try {
        const timeout = timeoutOf(request.headers);
        const exchange: Exchange = { request, response, call, method, timeout };
        if (target.kind !== "stream") this.#unary(target, exchange);
        else if (method.methodKind === "bidi_streaming") this.#converse(target, exchange);
        else this.#tell(target, exchange);
      } catch (error) {
        fail(response, error);
      }
    };
    response.once("close", this.#turnstile.enter(begin));
  }

  #unary(target: Method & { readonly kind: "unary" | "waiting" }, exchange: Exchange): void {
    const { response, call, method, timeout } = exchange;
    const gone = new AbortController();
    const timer = startTimer(timeout, () => {
      fail(response, deadlineExceeded());
      gone.abort();
    });
    response.once("close", () => {
      clearTimeout(timer);
      gone.abort();
    });
    this.#body(exchange, (body) => {
      const answer = target.handle(this.#encode(method, parseJson(body) ?? null), call, gone.signal);
      const answered = (text: string): void => {
        if (response.headersSent || response.destroyed) return;
        response.writeHead(200, HEADERS).end(answerJson(method.output, text));
      };
      if (typeof answer === "string") return answered(answer);
      answer.then(answered).catch((error: unknown) => fail(response, error));
    });
  }

  /** One request, many answers. */
  #tell(target: Method & { readonly kind: "stream" }, exchange: Exchange): void {
    this.#body(exchange, (body) => {
      const message = this.#encode(exchange.method, parseJson(body) ?? null);
      const { handler } = this.#open(target, exchange);
      handler.message(message);
      handler.halfClosed();
    });
  }

  /** Many requests, one JSON object after the other, and many answers, for as long as both sides like. */
  #converse(target: Method & { readonly kind: "stream" }, exchange: Exchange): void {
    const { request, response, method } = exchange;
    const splitter = new JsonSplitter(this.#options.mostMessageBytes * JSON_SHARE);
    let opened: Opened | undefined;
    const take = (text: string): void => {
      const message = this.#encode(method, parseJson(text) ?? null);
      opened ??= this.#open(target, exchange);
      if (!opened.call.isOver) opened.handler.message(message);
    };
    const refuse = (error: unknown): void => {
      if (opened === undefined) fail(response, error);
      else opened.call.end(error);
    };
    request.on("data", (chunk: Buffer) => {
      try {
        if (opened?.call.isOver !== true) splitter.push(chunk, take);
      } catch (error) {
        refuse(error);
      }
    });
    request.on("end", () => {
      if (splitter.isWithin) return refuse(new JsonError("unexpected EOF"));
      opened ??= this.#open(target, exchange);
      opened.handler.halfClosed();
    });
  }

  #open(target: Method & { readonly kind: "stream" }, exchange: Exchange): Opened {
    const { response, method, timeout } = exchange;
    const call = new GatewayStreamCall(response, exchange.call, { answer: method.output, headers: HEADERS });
    const handler = target.open(call);
    const timer = startTimer(timeout, () => call.end(deadlineExceeded()));
    this.#streams.add(call);
    response.on("drain", () => {
      if (!call.isOver) handler.drained();
    });
    response.once("close", () => {
      clearTimeout(timer);
      this.#streams.delete(call);
      handler.closed();
    });
    return { call, handler };
  }

  #encode(method: DescMethod, value: JsonValue): Buffer {
    const { buffer, byteOffset, length } = encodeRequest(method.input, value);
    const { mostMessageBytes } = this.#options;
    if (length > mostMessageBytes) throw tooLarge(length, mostMessageBytes);
    return Buffer.from(buffer, byteOffset, length);
  }

  /** Reads a whole body, of a bounded size and in bounded time. What `take` throws is answered. */
  #body({ request, response }: Exchange, take: (text: string) => void): void {
    const most = this.#options.mostMessageBytes * JSON_SHARE;
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = startTimer(BODY_MS, () => {
      send(response, 408, "Request Timeout\n");
      request.destroy();
    });
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= most) chunks.push(chunk);
      else if (!response.headersSent) {
        chunks.length = 0;
        response.setHeader("connection", "close");
        fail(response, tooLarge(bytes, this.#options.mostMessageBytes));
      }
    });
    request.on("close", () => clearTimeout(timer));
    request.on("end", () => {
      if (response.headersSent) return;
      try {
        take(Buffer.concat(chunks).toString());
      } catch (error) {
        fail(response, error);
      }
    });
  }
}

/** A call with many answers, on its way. */
interface Opened {
  readonly call: GatewayStreamCall;
  readonly handler: StreamHandler;
}

/** A request and all that is known of it. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: Call;
  readonly method: DescMethod;
  /** Milliseconds that the caller gives it. */
  readonly timeout: number | undefined;
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return;
  const { httpStatus, body } = failureOf(error);
  response.writeHead(httpStatus, { "content-type": HEADERS["content-type"] }).end(body);
}

function startTimer(milliseconds: number | undefined, act: () => void): NodeJS.Timeout | undefined {
  return milliseconds === undefined ? undefined : setTimeout(act, milliseconds);
}

function unknownMethod(service: string, name: string): EtcdError {
  const { UNIMPLEMENTED } = GRPC_STATUS;
  return new EtcdError("UNIMPLEMENTED", `unknown method ${name} for service ${service}`, {
    grpcStatus: UNIMPLEMENTED,
  });
}
