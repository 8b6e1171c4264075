// Pings, both ways, in grpc-go's manner (keepalive.EnforcementPolicy and ServerParameters), with etcd's settings.

export interface KeepaliveOptions {
  /** Milliseconds that a client leaves between pings. */
  readonly minTime: number;
  /** Milliseconds of silence after which a client is pinged. */
  readonly interval: number;
  /** Milliseconds that it has to answer. */
  readonly timeout: number;
}

/** Pings too early that are let pass. */
const MOST_STRIKES = 2;
/** Without a call under way a client has no reason to ping more often. */
const IDLE_MIN_TIME = 2 * 60 * 60 * 1000;

export class Keepalive {
  readonly #options: KeepaliveOptions;
  #strikes = 0;
  #lastPing = Number.NEGATIVE_INFINITY;
  #pingedAt: number | undefined;
  /** When something was last heard of the client. */
  heardAt: number;
  /** Something was sent since the last ping: the next one may come at any time. */
  hasAnswered = false;

  constructor(options: KeepaliveOptions, now: number) {
    this.#options = options;
    this.heardAt = now;
  }

  /** Counts a client's ping. False if there were too many. */
  admitsPing(now: number, hasStreams: boolean): boolean {
    const since = now - this.#lastPing;
    this.#lastPing = now;
    if (this.hasAnswered) {
      this.hasAnswered = false;
      this.#strikes = 0;
      return true;
    }
    if (since < (hasStreams ? this.#options.minTime : IDLE_MIN_TIME)) this.#strikes++;
    return this.#strikes <= MOST_STRIKES;
  }

  /** What is to be done about a client's silence. */
  check(now: number): "nothing" | "ping" | "close" {
    const { interval, timeout } = this.#options;
    if (this.#pingedAt !== undefined && this.heardAt < this.#pingedAt) {
      return now - this.#pingedAt >= timeout ? "close" : "nothing";
    }
    this.#pingedAt = undefined;
    if (now - this.heardAt < interval) return "nothing";
    this.#pingedAt = now;
    return "ping";
  }
}
