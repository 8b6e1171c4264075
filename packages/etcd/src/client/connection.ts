// One connection to one endpoint, from its opening to its end; it is never used again after that. Its owner
// is the Connector, which opens the next one.
import { Client, Metadata } from "@grpc/grpc-js";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { EtcdError, GRPC_STATUS } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { toEtcdError } from "./failure.ts";
import { MAX_RESPONSE_BYTES } from "./limits.ts";
import { Pulse } from "./pulse.ts";
import type { Rpc } from "./rpc.ts";
import type { Clock } from "./surroundings.ts";
import { tlsReason } from "./tls.ts";
import type { TlsSettings, TlsSupply } from "./tls.ts";
import { dial, Wire } from "./wire.ts";

export interface CallOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Have a member without a leader refuse at once, where it would otherwise wait for one. */
  readonly needsLeader: boolean;
  /** Who asks, as the server has named it. */
  readonly token?: string | undefined;
}

export interface ConnectionOptions {
  readonly clock: Clock;
  /** Asked once for each connection that is opened to a secure endpoint. */
  readonly tls?: TlsSupply | undefined;
  /** Called when the endpoint has accepted a connection, which is then seen through. */
  readonly accepted?: (() => void) | undefined;
}

const GRPC_OPTIONS = {
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_channelz": 0,
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  // etcd closes connections that are pinged more often than every 5 s. The Pulse is faster.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 2000,
  "grpc.max_receive_message_length": MAX_RESPONSE_BYTES,
  "grpc.max_send_message_length": -1,
} as const;

export class Connection {
  readonly endpoint: Endpoint;
  readonly #client: Client;
  readonly #wire: Wire;
  readonly #closed = new AbortController();
  readonly #pulse: Pulse;
  readonly #clock: Clock;
  #streams = 0;
  #heardMs: number;

  private constructor(
    endpoint: Endpoint,
    address: string,
    { clock, tls }: { readonly clock: Clock; readonly tls: TlsSettings | undefined },
  ) {
    this.endpoint = endpoint;
    this.#clock = clock;
    this.#heardMs = clock.now();
    this.#pulse = new Pulse(this, clock);
    this.#wire = new Wire(endpoint, tls, () => this.close());
    this.#client = new Client(address, this.#wire, {
      ...GRPC_OPTIONS,
      "grpc.default_authority": endpoint.name,
    });
  }

  /**
   * Connects and waits until the server speaks HTTP/2.
   * @throws EtcdError REFUSED, UNAVAILABLE; ABORTED when the signal fires first
   */
  static async open(
    endpoint: Endpoint,
    { clock, tls: supply, accepted }: ConnectionOptions,
    signal: AbortSignal,
  ): Promise<Connection> {
    const tls = endpoint.secure ? await supply?.() : undefined;
    const address = await dial(endpoint, { tls, accepted }, signal);
    const connection = new Connection(endpoint, address, { clock, tls });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const end = () => {
      const { failure } = connection.#wire;
      const why =
        failure === undefined ? "does not speak gRPC" : `ended the connection: ${tlsReason(failure)}`;
      reject(new EtcdError("UNAVAILABLE", `${endpoint.name} ${why}`, { cause: failure }));
    };
    const giveUp = () => reject(new EtcdError("ABORTED", `connecting to ${endpoint.name} was given up`));
    signal.addEventListener("abort", giveUp, { once: true });
    connection.closed.addEventListener("abort", end, { once: true });
    connection.#client.waitForReady(Number.POSITIVE_INFINITY, (error) => {
      if (error === undefined) resolve();
      else end();
    });
    try {
      await promise;
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
      connection.closed.removeEventListener("abort", end);
    }
  }

  /** Aborted when the connection has ended. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Monotonic time of the last message from the server. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** Long-lived streams that are open now. */
  get streams(): number {
    return this.#streams;
  }

  /** Ends the connection at once; calls that are under way fail with UNAVAILABLE. */
  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#wire.cut();
    this.#client.close();
  }

  /**
   * One request, one response.
   * @throws EtcdError
   */
  unary<I extends DescMessage, O extends DescMessage>(
    rpc: Rpc<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    return this.#guarded(rpc.path, options, (deadline, settle) =>
      this.#client.makeUnaryRequest(
        rpc.path,
        rpc.requestSerialize,
        rpc.responseDeserialize,
        request,
        metadata(options),
        { deadline },
        (error, response) => settle(error, response),
      ),
    );
  }

  /**
   * One request and the first response on a stream of its own.
   * @throws EtcdError
   */
  exchange<I extends DescMessage, O extends DescMessage>(
    rpc: Rpc<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    return this.#guarded(rpc.path, options, (deadline, settle) => {
      const call = this.#duplex(rpc, metadata(options), { deadline });
      let answer: MessageShape<O> | undefined;
      call.on("data", (message: MessageShape<O>) => {
        answer ??= message;
        settle(null, answer);
      });
      call.on("error", (error) => settle(error, undefined));
      call.on("end", () => settle(null, answer));
      call.write(request);
      call.end();
      return call;
    });
  }

  /** A stream that stays open until the caller cancels it, or it fails with the connection. */
  stream<I extends DescMessage, O extends DescMessage>(
    rpc: Rpc<I, O>,
    token?: string,
  ): ClientDuplexStream<MessageInitShape<I>, MessageShape<O>> {
    const call = this.#duplex(rpc, metadata({ needsLeader: true, token }), {});
    this.#streams++;
    call.once("status", () => this.#streams--);
    this.#pulse.start();
    return call;
  }

  #duplex<I extends DescMessage, O extends DescMessage>(
    rpc: Rpc<I, O>,
    meta: Metadata,
    options: { readonly deadline?: number },
  ): ClientDuplexStream<MessageInitShape<I>, MessageShape<O>> {
    return this.#client.makeBidiStreamRequest(
      rpc.path,
      rpc.requestSerialize,
      (bytes) => {
        this.#heardMs = this.#clock.now();
        return rpc.responseDeserialize(bytes);
      },
      meta,
      options,
    );
  }

  #guarded<T>(
    path: string,
    options: CallOptions,
    start: (deadline: number, settle: (error: unknown, answer: T | undefined) => void) => { cancel(): void },
  ): Promise<T> {
    const doing = `${path.slice(path.lastIndexOf("/") + 1)} at ${this.endpoint.name}`;
    const { signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true)
        throw new EtcdError("ABORTED", `${doing}: the caller gave up`, { cause: signal.reason });
      const before = this.#wire.bytesRead;
      const settle = (error: unknown, answer: T | undefined) => {
        signal?.removeEventListener("abort", cancel);
        if (answer !== undefined) {
          this.#heardMs = this.#clock.now();
          resolve(answer);
        } else if (signal?.aborted === true) {
          reject(new EtcdError("ABORTED", `${doing}: the caller gave up`, { cause: signal.reason }));
        } else {
          const failure = toEtcdError(error ?? emptyAnswer(doing), doing);
          if (failure.grpcStatus === GRPC_STATUS.DEADLINE_EXCEEDED) {
            this.#closeIfSilent(before, () => reject(failure));
          } else {
            this.#heardMs = this.#clock.now();
            reject(failure);
          }
        }
      };
      const call = start(Date.now() + options.deadlineMs, settle);
      const cancel = () => call.cancel();
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /**
   * Closes the connection if nothing was received since `bytesRead` was `before`. A busy process may come to
   * its timers before it comes to what has long arrived, so the event loop gets one more turn first.
   */
  #closeIfSilent(before: number, done: () => void): void {
    setImmediate(() => {
      if (this.#wire.bytesRead === before) this.close();
      else this.#heardMs = this.#clock.now();
      done();
    });
  }
}

function emptyAnswer(doing: string): EtcdError {
  return new EtcdError("BAD_RESPONSE", `${doing}: an empty answer`);
}

function metadata({ needsLeader, token }: Pick<CallOptions, "needsLeader" | "token">): Metadata {
  const meta = new Metadata();
  if (needsLeader) meta.set("hasleader", "true");
  if (token !== undefined) meta.set("token", token);
  return meta;
}
