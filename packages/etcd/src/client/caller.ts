// Makes calls: finds a connection, keeps the deadline, repeats what may be repeated, and remembers when the
// store last answered. What may be repeated: everything that was certainly not carried out, and whatever does
// no harm the second time. A write whose answer never came is neither; its caller gets AMBIGUOUS.
import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { EtcdError } from "../errors.ts";
import { Backoff } from "./backoff.ts";
import type { Connection } from "./connection.ts";
import type { Connector } from "./connector.ts";
import { isAnswer, leavesOpen, mayPass, memberUnwell, toEtcdError } from "./failure.ts";
import type { Login, Pass } from "./login.ts";
import type { Rpc } from "./rpc.ts";
import type { Surroundings } from "./surroundings.ts";

export interface RetryOptions {
  /** Tries in all, the first one included. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

export interface CallSettings {
  /** May the request be carried out twice without harm? */
  readonly repeatable: boolean;
  readonly deadlineMs?: number | undefined;
  readonly attempts?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Default true. */
  readonly needsLeader?: boolean;
}

export interface CallerOptions {
  readonly deadlineMs: number;
  readonly retry: RetryOptions;
  /** Who calls, where the store is to know. */
  readonly login?: Login | undefined;
}

export class Caller {
  readonly connector: Connector;
  readonly surroundings: Surroundings;
  readonly login: Login | undefined;
  readonly #deadlineMs: number;
  readonly #retry: RetryOptions;
  #lastOkMs: number | undefined;

  constructor(connector: Connector, surroundings: Surroundings, options: CallerOptions) {
    this.connector = connector;
    this.surroundings = surroundings;
    this.login = options.login;
    this.#deadlineMs = options.deadlineMs;
    this.#retry = options.retry;
  }

  /** Monotonic time of the last answer. */
  get lastOkMs(): number | undefined {
    return this.#lastOkMs;
  }

  /** Records that the store answered just now. */
  heard(): void {
    this.#lastOkMs = this.surroundings.clock.now();
  }

  /**
   * One request, one response.
   * @throws EtcdError
   */
  unary<I extends DescMessage, O extends DescMessage>(
    rpc: Rpc<I, O>,
    request: MessageInitShape<I>,
    settings: CallSettings,
  ): Promise<MessageShape<O>> {
    return this.#repeat(settings, (connection, options) => connection.unary(rpc, request, options));
  }

  /**
   * One request and the first response on a stream of its own.
   * @throws EtcdError
   */
  exchange<I extends DescMessage, O extends DescMessage>(
    rpc: Rpc<I, O>,
    request: MessageInitShape<I>,
    settings: CallSettings,
  ): Promise<MessageShape<O>> {
    return this.#repeat(settings, (connection, options) => connection.exchange(rpc, request, options));
  }

  async #repeat<T>(
    settings: CallSettings,
    send: (connection: Connection, options: Parameters<Connection["unary"]>[2]) => Promise<T>,
  ): Promise<T> {
    const { clock, random } = this.surroundings;
    const { signal, needsLeader = true, deadlineMs = this.#deadlineMs } = settings;
    const attempts = settings.attempts ?? this.#retry.attempts;
    const pause = new Backoff({ firstMs: this.#retry.firstDelayMs, maxMs: this.#retry.maxDelayMs }, random);
    let renewed = false;
    for (let attempt = 1; ; attempt++) {
      const startedMs = clock.now();
      let connection: Connection | undefined;
      let pass: Pass | undefined;
      let sent = false;
      try {
        connection = await this.connector.acquire(deadlineMs, signal);
        pass = await this.login?.pass(connection, signal);
        // What connecting left over, but enough that a slow connection does not leave a write open.
        const leftMs = Math.max(deadlineMs / 2, deadlineMs - (clock.now() - startedMs));
        sent = true;
        const token = pass?.token;
        const answer = await send(connection, { deadlineMs: leftMs, signal, needsLeader, token });
        this.heard();
        return answer;
      } catch (error) {
        const failure = toEtcdError(error, "the store client");
        if (isAnswer(failure)) this.heard();
        if (connection !== undefined && memberUnwell(failure)) this.connector.moveOn(connection);
        const open = sent && !settings.repeatable && leavesOpen(failure);
        if (open) {
          throw new EtcdError("AMBIGUOUS", `it is unknown whether this was carried out: ${failure.message}`, {
            grpcStatus: failure.grpcStatus,
            cause: failure,
          });
        }
        const expired = pass !== undefined && this.login?.refused(pass, failure) === true;
        if (expired && !renewed) {
          // Not one of the tries: the call was never looked at.
          renewed = true;
          attempt--;
          continue;
        }
        if (attempt >= attempts || !(expired || mayPass(failure))) throw failure;
        this.surroundings.log.debug("a call to the store is repeated", { attempt, error: failure.message });
      }
      // Without a connection nothing was sent, and the connector spaces its rounds by itself.
      if (connection !== undefined) await rest(clock, pause.next(), signal);
    }
  }
}

async function rest(
  clock: Surroundings["clock"],
  ms: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch {
    throw new EtcdError("ABORTED", "the caller gave up", { cause: signal?.reason });
  }
}
