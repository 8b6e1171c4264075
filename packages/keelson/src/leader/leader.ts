// The leader's life on one machine: stands by, is elected, reigns until it is over, stands by again. daemons/
// starts one on every machine with the role.
// Invariants: only the elected one writes orders, and each of its writes compares its election key; a reign whose
// last write may or may not have arrived ends, so that the write can no longer arrive.
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Random } from "../base/random.ts";
import type { Decider } from "../model/decision.ts";
import type { BodyCache } from "../registry/body-cache.ts";
import { ClusterView } from "../registry/cluster-view.ts";
import { campaign, type Leadership } from "../registry/leadership.ts";
import type { StoreClient } from "../registry/store-client.ts";
import { LeaderMetrics } from "./leader-metrics.ts";
import { Reign } from "./reign.ts";

export interface LeaderOptions {
  /** Machine id of the candidate. */
  readonly machine: string;
  readonly store: StoreClient;
  readonly bodies: BodyCache;
  /**
   * The machines, watched for as long as this daemon lives, so that an elected candidate knows them already. Whoever
   * tells others that this daemon has no contact with the store interrupts it.
   */
  readonly machines: ClusterView;
  /** The lease of machines, in seconds. */
  readonly leaseSeconds: number;
  /** The lease of the election key, in seconds. */
  readonly leaderLeaseSeconds: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** What else is to be done while this machine leads; to end when the leadership is over. */
  readonly duty?: (leadership: Leadership) => Promise<void>;
  /** Asked before the scheduler; all that there are unless given. */
  readonly deciders?: readonly Decider[];
  readonly signal?: AbortSignal;
}

export class Leader implements AsyncDisposable {
  readonly #options: LeaderOptions;
  readonly #lifetime: Lifetime;
  readonly #metrics: LeaderMetrics;
  #leadership: Leadership | undefined;

  private constructor(options: LeaderOptions) {
    this.#options = options;
    this.#lifetime = new Lifetime(options.log, options.signal);
    this.#metrics = new LeaderMetrics(options.metrics);
  }

  /** Starts the candidacy. Closing it resigns. */
  static start(options: LeaderOptions): Leader {
    const leader = new Leader(options);
    leader.#lifetime.run("leader", (signal) => leader.#run(signal));
    return leader;
  }

  get isLeading(): boolean {
    return this.#leadership !== undefined && !this.#leadership.over.aborted;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { store, machine, leaderLeaseSeconds: leaseSeconds, clock, log, random } = this.#options;
    const backoff = new Backoff({ firstMs: 100, maxMs: 2000 }, random);
    while (!signal.aborted) {
      const leadership = await campaign(store, { machine, leaseSeconds, clock, log, random, signal });
      this.#leadership = leadership;
      this.#metrics.leads(true);
      log.info("this machine leads", { fence: leadership.revision });
      try {
        await this.#reign(leadership);
        backoff.reset();
      } catch (error) {
        if (!signal.aborted) log.warn("the reign ends", { error: describeError(error) });
      }
      this.#metrics.leads(false);
      await leadership.resign();
      this.#leadership = undefined;
      if (!signal.aborted) await clock.sleep(backoff.next(), signal);
    }
  }

  /** Until the leadership is over, or something went wrong after which nobody knows what is written. */
  async #reign(leadership: Leadership): Promise<void> {
    const { store, clock, log, random, duty } = this.#options;
    const other = duty?.(leadership).catch((error: unknown) => {
      log.error("a duty of the leader ended", { error: describeError(error) });
    });
    // Opened after the election: what it reads first holds all that earlier leaders have written.
    await using view = ClusterView.open(store, { scope: "all", log, clock, random, signal: leadership.over });
    await view.synced(leadership.over);
    await new Reign({ ...this.#options, leadership, view, metrics: this.#metrics }).run();
    await other;
  }
}
