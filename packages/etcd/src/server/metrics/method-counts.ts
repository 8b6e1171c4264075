// Counts the calls of the services. It stands between them and whatever brings the calls, gRPC or the gateway; a
// call with one answer that is there at once costs some additions, and no promise.

import { performance } from "node:perf_hooks";
import { ROUTES } from "../gateway/routes.ts";
import type { Call, Method, ServiceTable, StreamCall, StreamHandler } from "../transport/call.ts";
import { statusOf } from "../transport/status.ts";
import { exponentialBounds, Histogram } from "./histogram.ts";

const OK = 0;
const CANCELED = 1;
/** Names of gRPC's codes by number, as grpc-go writes them. */
export const CODE_NAMES = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;
const KINDS = {
  unary: "unary",
  server_streaming: "server_stream",
  client_streaming: "client_stream",
  bidi_streaming: "bidi_stream",
} as const;
const HANDLING_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What happened to one method so far. */
export class MethodCounts {
  readonly service: string;
  readonly method: string;
  readonly type: string;
  started = 0;
  messagesReceived = 0;
  messagesSent = 0;
  bytesReceived = 0;
  bytesSent = 0;
  /** By gRPC code. */
  readonly handled: number[] = CODE_NAMES.map(() => 0);
  /** Seconds that calls took, if they are measured. */
  readonly handling: Histogram | undefined;

  constructor(
    { service, method, kind }: { service: string; method: string; kind: Method["kind"] },
    measures: boolean,
  ) {
    this.service = service;
    this.method = method;
    const route = ROUTES.find((known) => known.service === service && known.method.name === method);
    this.type = KINDS[route?.method.methodKind ?? (kind === "stream" ? "server_streaming" : "unary")];
    this.handling = measures ? new Histogram(HANDLING_BOUNDS) : undefined;
  }

  /** Calls that have begun and not ended. */
  get open(): number {
    return this.started - this.handled.reduce((sum, count) => sum + count, 0);
  }

  begin(): number {
    this.started++;
    return this.handling === undefined ? 0 : performance.now();
  }

  received(bytes: number): void {
    this.messagesReceived++;
    this.bytesReceived += bytes;
  }

  sent(bytes: number): void {
    this.messagesSent++;
    this.bytesSent += bytes;
  }

  end(code: number, began: number): void {
    (this.handled[code] as number)++;
    this.handling?.observe((performance.now() - began) / 1000);
  }
}

export interface CountedServices {
  readonly services: ServiceTable;
  readonly counts: readonly MethodCounts[];
}

/** The same services, counted. `measures` takes the time of each call too. */
export function countServices(services: ServiceTable, measures: boolean): CountedServices {
  const counts: MethodCounts[] = [];
  const counted = [...services].map(([service, methods]) => {
    const wrapped = Object.entries(methods).map(([name, method]) => {
      const own = new MethodCounts({ service, method: name, kind: method.kind }, measures);
      counts.push(own);
      return [name, count(method, own)] as const;
    });
    return [service, Object.fromEntries(wrapped)] as const;
  });
  return { services: new Map(counted), counts };
}

function count(method: Method, counts: MethodCounts): Method {
  switch (method.kind) {
    case "unary":
      return { kind: "unary", handle: counted(counts, method.handle) };
    case "waiting": {
      const { handle } = method;
      return {
        kind: "waiting",
        handle: async (request, call, gone) =>
          counted(counts, (bytes, same) => handle(bytes, same, gone))(request, call),
      };
    }
    case "stream":
      return { kind: "stream", open: (call) => openCounted(method.open, call, counts) };
  }
}

type Handle = (request: Buffer, call: Call) => string | Promise<string>;

function counted(counts: MethodCounts, handle: Handle): Handle {
  return (request, call) => {
    const began = counts.begin();
    counts.received(request.length);
    const done = (answer: string): string => {
      counts.sent(answer.length);
      counts.end(OK, began);
      return answer;
    };
    const failed = (error: unknown): never => {
      counts.end(statusOf(error).code, began);
      throw error;
    };
    try {
      const answer = handle(request, call);
      return typeof answer === "string" ? done(answer) : answer.then(done, failed);
    } catch (error) {
      return failed(error);
    }
  };
}

function openCounted(
  open: (call: StreamCall) => StreamHandler,
  call: StreamCall,
  counts: MethodCounts,
): StreamHandler {
  const began = counts.begin();
  let isOver = false;
  const end = (code: number): void => {
    if (isOver) return;
    isOver = true;
    counts.end(code, began);
  };
  try {
    const handler = open(new CountedCall(call, counts, end));
    return {
      message: (bytes) => {
        counts.received(bytes.length);
        try {
          handler.message(bytes);
        } catch (error) {
          end(statusOf(error).code);
          throw error;
        }
      },
      halfClosed: () => handler.halfClosed(),
      drained: () => handler.drained(),
      closed: () => {
        end(CANCELED);
        handler.closed();
      },
    };
  } catch (error) {
    end(statusOf(error).code);
    throw error;
  }
}

class CountedCall implements StreamCall {
  readonly metadata: Call["metadata"];
  readonly peer: Call["peer"];
  readonly #call: StreamCall;
  readonly #counts: MethodCounts;
  readonly #ended: (code: number) => void;

  constructor(call: StreamCall, counts: MethodCounts, ended: (code: number) => void) {
    this.metadata = call.metadata;
    this.peer = call.peer;
    this.#call = call;
    this.#counts = counts;
    this.#ended = ended;
  }

  get isBehind(): boolean {
    return this.#call.isBehind;
  }

  send(message: string): void {
    this.#counts.sent(message.length);
    this.#call.send(message);
  }

  end(error?: unknown): void {
    this.#ended(error === undefined ? OK : statusOf(error).code);
    this.#call.end(error);
  }
}

/** Bounds of the disk's histograms, in seconds: a millisecond to eight seconds. */
export const DISK_BOUNDS = exponentialBounds(0.001, 2, 14);
