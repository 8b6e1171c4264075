// A gRPC client that hides nothing: each answer as it came, errors with their code and words. Two servers are
// compared through it.
import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, JsonValue, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { ChannelCredentials, ClientDuplexStream, ServiceError } from "@grpc/grpc-js";

type Unary<I extends DescMessage, O extends DescMessage> = DescMethod & {
  readonly methodKind: "unary";
  readonly input: I;
  readonly output: O;
};

type Streaming<I extends DescMessage, O extends DescMessage> = DescMethod & {
  readonly methodKind: "bidi_streaming" | "server_streaming";
  readonly input: I;
  readonly output: O;
};

export interface Refusal {
  readonly code: number;
  readonly message: string;
}

export type Answer<O extends DescMessage> = { readonly ok: MessageShape<O> } | { readonly refused: Refusal };

const MOST_BYTES = 64 << 20;

export class RawClient implements Disposable {
  readonly address: string;
  readonly #client: Client;
  readonly #metadata: Readonly<Record<string, string>>;

  constructor(
    address: string,
    options: {
      readonly credentials?: ChannelCredentials;
      /** Goes with every call. */
      readonly metadata?: Readonly<Record<string, string>>;
    } = {},
  ) {
    this.address = address;
    this.#metadata = options.metadata ?? {};
    this.#client = new Client(address, options.credentials ?? credentials.createInsecure(), {
      "grpc.max_receive_message_length": MOST_BYTES,
      "grpc.max_send_message_length": MOST_BYTES,
      // grpc-js cannot check a certificate for an IP address.
      ...(options.credentials === undefined ? {} : { "grpc.ssl_target_name_override": "localhost" }),
    });
  }

  call<I extends DescMessage, O extends DescMessage>(
    method: Unary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<Answer<O>> {
    return this.start(method, request).answer;
  }

  /** A call that can be given up. */
  start<I extends DescMessage, O extends DescMessage>(
    method: Unary<I, O>,
    request: MessageInitShape<I>,
  ): { readonly answer: Promise<Answer<O>>; cancel(): void } {
    const deadline = Date.now() + 30_000;
    let cancel = (): void => undefined;
    const answer = new Promise<Answer<O>>((resolve) => {
      const call = this.#client.makeUnaryRequest(
        pathOf(method),
        (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
        (bytes) => fromBinary(method.output, bytes),
        create(method.input, request),
        this.#sent(),
        { deadline },
        (error, answer) => {
          if (error !== null) resolve({ refused: refusalOf(error) });
          else if (answer !== undefined) resolve({ ok: answer });
        },
      );
      cancel = () => call.cancel();
    });
    return { answer, cancel: () => cancel() };
  }

  /** Answers and the end of the call go to the functions. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: Streaming<I, O>,
    take: { message(answer: MessageShape<O>): void; end(status: Refusal): void },
  ): { send(request: MessageInitShape<I>): void; halfClose(): void; cancel(): void } {
    const stream: ClientDuplexStream<MessageShape<I>, MessageShape<O>> = this.#client.makeBidiStreamRequest(
      pathOf(method),
      (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
      this.#sent(),
    );
    stream.on("data", (answer: MessageShape<O>) => take.message(answer));
    stream.on("error", () => undefined);
    stream.on("status", ({ code, details }) => take.end({ code, message: details }));
    return {
      send: (request) => void stream.write(create(method.input, request)),
      halfClose: () => void stream.end(),
      cancel: () => stream.cancel(),
    };
  }

  #sent(): Metadata {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(this.#metadata)) metadata.set(name, value);
    return metadata;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function refusalOf(error: ServiceError): Refusal {
  return { code: error.code, message: error.details };
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** An answer as plain JSON, without what differs from server to server: ids and raft's term. */
export function plain<O extends DescMessage>(method: { readonly output: O }, answer: Answer<O>): JsonValue {
  if ("refused" in answer) return { refused: { ...answer.refused } };
  return withoutIds(toJson(method.output, answer.ok));
}

export function withoutIds(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withoutIds);
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value).filter(
    ([name]) => !["clusterId", "memberId", "raftTerm"].includes(name),
  );
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutIds(inner)]));
}
