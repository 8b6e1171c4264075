// Keeps one connection to whichever endpoint works, and opens the next one when it ends. All calls share it.
// A round tries every endpoint, beginning with the one that worked last; rounds that fail are at least 100 ms
// and at most 1 s apart, and a round that hangs is given up after 1 s, so that a healed network is noticed
// about one second later, however long it was away. One that is in the middle of TLS gets more time.
import { EtcdError } from "../errors.ts";
import { Backoff } from "./backoff.ts";
import { Connection } from "./connection.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Surroundings } from "./surroundings.ts";
import type { TlsSupply } from "./tls.ts";

const ROUND_MS = 1000;
/** What a round gets on top once an endpoint has accepted a connection: TLS takes several times to and fro. */
const TLS_MS = 2000;
const HEAD_START_MS = 150;
/** A connection that lasted this long was a good one: the next round after it need not wait long. */
const STEADY_MS = 5000;

export class Connector {
  readonly #endpoints: readonly Endpoint[];
  readonly #surroundings: Surroundings;
  readonly #tls: TlsSupply | undefined;
  readonly #backoff: Backoff;
  readonly #closed = new AbortController();
  #current: Connection | undefined;
  #opening: Promise<Connection> | undefined;
  #preferred = 0;
  #nextRoundMs = Number.NEGATIVE_INFINITY;

  /** `tls` is asked for each connection to a secure endpoint. */
  constructor(endpoints: readonly Endpoint[], surroundings: Surroundings, tls?: TlsSupply) {
    this.#endpoints = endpoints;
    this.#tls = tls;
    this.#surroundings = surroundings;
    this.#backoff = new Backoff({ firstMs: 100, maxMs: 1000 }, surroundings.random);
  }

  /**
   * The open connection, or the outcome of the round that is under way.
   * @throws EtcdError REFUSED when every endpoint refused the TCP connection, TIMEOUT when none answered in
   * `withinMs` or in the round's time, UNAVAILABLE otherwise; ABORTED, CLOSED
   */
  async acquire(withinMs: number | undefined, signal?: AbortSignal): Promise<Connection> {
    this.#throwIfClosed();
    if (this.#current !== undefined && !this.#current.closed.aborted) return this.#current;
    this.#opening ??= this.#nextRound().finally(() => {
      this.#opening = undefined;
    });
    return patience(this.#opening, signal, (late) =>
      withinMs === undefined
        ? undefined
        : this.#surroundings.clock.timer(withinMs, () =>
            late(
              new EtcdError("TIMEOUT", `no connection to ${this.#names()} within ${Math.round(withinMs)} ms`),
            ),
          ),
    );
  }

  /** Leaves a member that answers but cannot serve, if there is another one. */
  moveOn(connection: Connection): void {
    if (this.#endpoints.length > 1) connection.close();
  }

  close(): void {
    this.#closed.abort();
    this.#current?.close();
  }

  async #nextRound(): Promise<Connection> {
    const { clock, log } = this.#surroundings;
    const waitMs = this.#nextRoundMs - clock.now();
    if (waitMs > 0) await clock.sleep(waitMs, this.#closed.signal).catch(() => {});
    this.#throwIfClosed();
    const startedMs = clock.now();
    try {
      const connection = await this.#round();
      if (this.#closed.signal.aborted) connection.close();
      this.#throwIfClosed();
      this.#preferred = this.#endpoints.indexOf(connection.endpoint);
      this.#current = connection;
      const openedMs = clock.now();
      connection.closed.addEventListener("abort", () => this.#lost(connection, openedMs), { once: true });
      log.debug("connected to the store", { endpoint: connection.endpoint.name });
      return connection;
    } catch (error) {
      this.#nextRoundMs = startedMs + this.#backoff.next();
      throw error;
    }
  }

  #lost(connection: Connection, openedMs: number): void {
    if (this.#closed.signal.aborted) return;
    const { clock, log } = this.#surroundings;
    if (clock.now() - openedMs >= STEADY_MS) this.#backoff.reset();
    this.#preferred = (this.#preferred + 1) % this.#endpoints.length;
    this.#nextRoundMs = clock.now() + this.#backoff.next();
    log.debug("the connection to the store ended", { endpoint: connection.endpoint.name });
  }

  /** Tries the endpoints one after another, each with a short head start; the first that works wins. */
  async #round(): Promise<Connection> {
    const { clock } = this.#surroundings;
    const over = new AbortController();
    // As in Connection, a busy process first comes to what has arrived, and then judges.
    const limit = (ms: number) => {
      const armed = clock.timer(ms, () => setImmediate(() => timer === armed && over.abort()));
      return armed;
    };
    let timer = limit(ROUND_MS);
    let isExtended = this.#tls === undefined;
    const accepted = () => {
      if (isExtended || over.signal.aborted) return;
      isExtended = true;
      timer.cancel();
      timer = limit(ROUND_MS + TLS_MS);
    };
    const give = () => over.abort();
    this.#closed.signal.addEventListener("abort", give, { once: true });
    const failures: EtcdError[] = [];
    let begun = Promise.resolve();
    const attempts = this.#order().map(async (endpoint) => {
      const turn = begun;
      const done = Promise.withResolvers<void>();
      begun = turn.then(() =>
        Promise.race([done.promise, clock.sleep(HEAD_START_MS, over.signal).catch(() => {})]),
      );
      await turn;
      try {
        return await Connection.open(endpoint, { clock, tls: this.#tls, accepted }, over.signal);
      } catch (error) {
        failures.push(error as EtcdError);
        throw error;
      } finally {
        done.resolve();
      }
    });
    try {
      const winner = await Promise.any(attempts);
      for (const attempt of attempts)
        void attempt.then(
          (other) => other !== winner && other.close(),
          () => {},
        );
      return winner;
    } catch {
      throw this.#roundFailed(failures, over.signal.aborted);
    } finally {
      timer.cancel();
      over.abort();
      this.#closed.signal.removeEventListener("abort", give);
    }
  }

  #roundFailed(failures: readonly EtcdError[], late: boolean): EtcdError {
    this.#throwIfClosed();
    const causes = failures.map((failure) => failure.message).join("; ");
    if (failures.every((failure) => failure.code === "REFUSED")) {
      return new EtcdError("REFUSED", causes, { cause: failures[0] });
    }
    const code = late ? "TIMEOUT" : "UNAVAILABLE";
    return new EtcdError(code, `no connection to ${this.#names()}: ${causes}`, { cause: failures[0] });
  }

  #order(): Endpoint[] {
    return [...this.#endpoints.slice(this.#preferred), ...this.#endpoints.slice(0, this.#preferred)];
  }

  #names(): string {
    return this.#endpoints.map((endpoint) => endpoint.name).join(", ");
  }

  #throwIfClosed(): void {
    if (this.#closed.signal.aborted) throw new EtcdError("CLOSED", "the store client was closed");
  }
}

/** Waits for what others wait for too, but only until `limit` calls it late or the signal fires. */
async function patience<T>(
  shared: Promise<T>,
  signal: AbortSignal | undefined,
  limit: (late: (error: EtcdError) => void) => { cancel(): void } | undefined,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = limit(reject);
  const giveUp = () =>
    reject(new EtcdError("ABORTED", "the caller gave up waiting for the store", { cause: signal?.reason }));
  if (signal?.aborted === true) giveUp();
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    return await Promise.race([shared, promise]);
  } finally {
    timer?.cancel();
    signal?.removeEventListener("abort", giveUp);
  }
}
