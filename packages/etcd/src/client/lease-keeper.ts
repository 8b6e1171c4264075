// Holds a lease for as long as it runs: takes up an old one or grants a new one, renews it four times in its
// life, and replaces it when the store has let it expire. Its owner hears of everything by `onEvent` and
// decides what it means; the keeper itself never judges how much of the lease is left.
import { EtcdError } from "../errors.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { toEtcdError } from "./failure.ts";
import { surroundings } from "./surroundings.ts";
import type { Clock, Log } from "./surroundings.ts";

/** Milliseconds on the keeper's monotonic clock, taken before the request was sent: the store's time to live
 * begins then at the earliest, so the lease cannot have expired before `renewedAtMs + ttlSeconds * 1000`. */
type RenewedAtMs = number;

export type LeaseEvent =
  | {
      readonly type: "granted";
      readonly lease: bigint;
      readonly ttlSeconds: number;
      readonly renewedAtMs: RenewedAtMs;
      /** The lease is the one that was to be resumed; its keys are still there. */
      readonly resumed: boolean;
    }
  | {
      readonly type: "renewed";
      readonly lease: bigint;
      readonly ttlSeconds: number;
      readonly renewedAtMs: RenewedAtMs;
    }
  /** The store does not know the lease any more; its keys are gone. `granted` follows. */
  | { readonly type: "lost"; readonly lease: bigint }
  /**
   * The store could not be asked, or could not answer. `refused`: every endpoint refused the TCP connection,
   * so no store runs there; `timeout`: anything else, such as silence. Comes once for every failed try.
   */
  | { readonly type: "unreachable"; readonly reason: "refused" | "timeout"; readonly error: EtcdError };

export interface LeaseKeeperOptions {
  readonly client: EtcdClient;
  /** Time to live to ask for. The store may grant more; events carry what it granted. */
  readonly ttlSeconds: number;
  /** Lease of an earlier run to go on with, if it still exists. */
  readonly resumeLease?: bigint | undefined;
  /** Called in order, never after the keeper was stopped. What it throws is logged and dropped. */
  readonly onEvent: (event: LeaseEvent) => void;
  readonly clock?: Clock | undefined;
  readonly log?: Log | undefined;
}

const TRY_MS = 1000;
const LONGEST_PAUSE_MS = 500;

export class LeaseKeeper implements AsyncDisposable {
  readonly #options: LeaseKeeperOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>;
  #held: { readonly lease: bigint; readonly ttlSeconds: number; readonly renewedAtMs: number } | undefined;
  #failures = 0;

  constructor(options: LeaseKeeperOptions) {
    const { clock, log } = surroundings(options);
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#running = this.#run();
  }

  /** The lease that is held, as far as is known. */
  get lease(): bigint | undefined {
    return this.#held?.lease;
  }

  /** Stops renewing and leaves the lease to its time to live, so that a next run can resume it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  /**
   * Stops renewing and ends the lease with all its keys.
   * @throws EtcdError when the store could not be told; the lease then runs out by itself
   */
  async revoke(): Promise<void> {
    await this[Symbol.asyncDispose]();
    if (this.#held === undefined) return;
    try {
      await this.#options.client.revokeLease(this.#held.lease, { idempotent: true });
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== "LEASE_NOT_FOUND") throw error;
    }
    this.#held = undefined;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    await Promise.resolve(); // The owner has the keeper in hand before it hears from it.
    let resumable = this.#options.resumeLease;
    while (!signal.aborted) {
      const startedMs = this.#clock.now();
      try {
        if (this.#held !== undefined) {
          await this.#renew();
        } else if (resumable !== undefined) {
          const lease = resumable;
          if (!(await this.#resume(lease))) resumable = undefined;
        } else {
          await this.#grant();
        }
        this.#failures = 0;
        await this.#rest(startedMs);
      } catch (error) {
        if (!signal.aborted) await this.#failed(toEtcdError(error, "the lease"));
      }
    }
  }

  async #grant(): Promise<void> {
    const renewedAtMs = this.#clock.now();
    const { id, ttlSeconds } = await this.#options.client.grantLease(
      this.#options.ttlSeconds,
      0n,
      this.#oneTry(),
    );
    this.#held = { lease: id, ttlSeconds, renewedAtMs };
    this.#emit({ type: "granted", lease: id, ttlSeconds, renewedAtMs, resumed: false });
  }

  async #resume(lease: bigint): Promise<boolean> {
    const renewedAtMs = this.#clock.now();
    const ttlSeconds = await this.#keepAlive(lease);
    if (ttlSeconds === undefined) {
      this.#emit({ type: "lost", lease });
      return false;
    }
    this.#held = { lease, ttlSeconds, renewedAtMs };
    this.#emit({ type: "granted", lease, ttlSeconds, renewedAtMs, resumed: true });
    return true;
  }

  async #renew(): Promise<void> {
    const { lease } = this.#held!;
    const renewedAtMs = this.#clock.now();
    const ttlSeconds = await this.#keepAlive(lease);
    if (ttlSeconds === undefined) {
      this.#held = undefined;
      this.#emit({ type: "lost", lease });
    } else {
      this.#held = { lease, ttlSeconds, renewedAtMs };
      this.#emit({ type: "renewed", lease, ttlSeconds, renewedAtMs });
    }
  }

  /** The renewed time to live, or undefined when the store does not know the lease. */
  async #keepAlive(lease: bigint): Promise<number | undefined> {
    try {
      return (await this.#options.client.keepAliveOnce(lease, this.#oneTry())).ttlSeconds;
    } catch (error) {
      if (error instanceof EtcdError && error.code === "LEASE_NOT_FOUND") return undefined;
      throw error;
    }
  }

  /** Until a quarter of the lease has gone by; not at all when there is none. */
  async #rest(startedMs: number): Promise<void> {
    if (this.#held === undefined) return;
    const dueMs = startedMs + (this.#held.ttlSeconds * 1000) / 4;
    await this.#clock.sleep(Math.max(0, dueMs - this.#clock.now()), this.#stopped.signal);
  }

  /** The first repetition comes at once; the client spaces its connections by itself. */
  async #failed(error: EtcdError): Promise<void> {
    this.#emit({ type: "unreachable", reason: error.code === "REFUSED" ? "refused" : "timeout", error });
    const pauseMs = Math.min(LONGEST_PAUSE_MS, 50 * this.#failures++);
    await this.#clock.sleep(pauseMs, this.#stopped.signal).catch(() => {});
  }

  #oneTry() {
    return { deadlineMs: TRY_MS, attempts: 1, signal: this.#stopped.signal } as const;
  }

  #emit(event: LeaseEvent): void {
    if (this.#stopped.signal.aborted) return;
    try {
      this.#options.onEvent(event);
    } catch (error) {
      this.#log.warn("a listener of the lease failed", { event: event.type, error });
    }
  }
}
