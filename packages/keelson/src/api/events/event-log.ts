// What happened in the cluster, read again from the store's history when the first asks for it, and followed for as
// long as somebody does. Nothing is kept when nobody asks. Bounded in revisions that are read and in events held.
import { setImmediate } from "node:timers/promises";
import { Backoff } from "../../base/backoff.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { describeError, KeelError } from "../../base/errors.ts";
import { Lifetime } from "../../base/lifetime.ts";
import type { Log } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import { Chronicle } from "../../history/chronicle.ts";
import type { ClusterEvent } from "../../history/cluster-event.ts";
import { readHistory } from "../../registry/history.ts";
import { type StoreClient, storeErrorCode } from "../../registry/store-client.ts";

const mostRevisions = 20_000;
const mostEvents = 20_000;
/** How long a request waits while nothing more of the history comes: a long one may take its time. */
const silentMs = 15_000;

export interface EventLogOptions {
  readonly store: StoreClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How long it is followed after the last reader has gone. */
  readonly idleMs: number;
}

/** What a reader gets next. */
export interface EventPage {
  readonly events: readonly ClusterEvent[];
  /** Where to go on. */
  readonly next: number;
  /** Events between where the reader was and the first of these that are not held any more. */
  readonly leftOut: number;
}

export class EventLog implements AsyncDisposable {
  readonly #options: EventLogOptions;
  #reading: Lifetime | undefined;
  #closing: Promise<void> = Promise.resolve();
  #users = 0;
  #timer: Timer | undefined;
  #events: ClusterEvent[] = [];
  /** Number of the first event that is held; they are counted from 0. */
  #first = 0;
  /** Number of the first event since the history was last read from its beginning. */
  #begin = 0;
  #since = 0;
  #isCurrent = false;
  #lastRevision = 0;
  /** Why it could not be read the last time; undefined since something was. */
  #failure: unknown;
  #changed = Promise.withResolvers<void>();

  constructor(options: EventLogOptions) {
    this.#options = options;
  }

  /** Reads and follows until this is disposed, and a while longer. */
  use(): Disposable {
    this.#timer?.cancel();
    this.#users += 1;
    this.#open();
    let isReleased = false;
    return {
      [Symbol.dispose]: () => {
        if (isReleased) return;
        isReleased = true;
        this.#users -= 1;
        if (this.#users > 0) return;
        this.#timer = this.#options.clock.timer(this.#options.idleMs, () => this.#close());
      },
    };
  }

  /** The history begins behind this revision. */
  get since(): number {
    return this.#since;
  }

  /** Events of this history that are not held any more. */
  get leftOut(): number {
    return this.#first - this.#begin;
  }

  /**
   * Resolves when all that happened until now has been read. KEEL-401 with the reason when the store tells nothing
   * more of it for a while.
   */
  async current(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let [read, deadline] = [this.#lastRevision, clock.now() + silentMs];
    while (!this.#isCurrent) {
      if (clock.now() >= deadline) throw silence(this.#failure);
      await this.changed(deadline - clock.now(), signal);
      if (read !== this.#lastRevision) [read, deadline] = [this.#lastRevision, clock.now() + silentMs];
    }
  }

  /** Events from this number on. */
  from(number: number, most: number): EventPage {
    const begin = Math.max(number, this.#first);
    const events = this.#events.slice(begin - this.#first, begin - this.#first + most);
    return { events, next: begin + events.length, leftOut: begin - number };
  }

  /** Resolves when there may be more, or when the time is over; rejects when the signal aborts. */
  async changed(withinMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const over = Promise.withResolvers<void>();
    const timer = this.#options.clock.timer(withinMs, () => over.resolve());
    const onAbort = (): void => over.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await Promise.race([this.#changed.promise, over.promise]);
    } finally {
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel();
    this.#close();
    await this.#closing;
  }

  #open(): void {
    if (this.#reading !== undefined) return;
    this.#reading = new Lifetime(this.#options.log);
    this.#reading.run("history", (signal) => this.#read(signal));
  }

  #close(): void {
    const reading = this.#reading;
    this.#reading = undefined;
    this.#forget();
    this.#closing = Promise.all([this.#closing, reading?.close()]).then(() => undefined);
  }

  #forget(): void {
    this.#first += this.#events.length;
    this.#begin = this.#first;
    this.#events = [];
    this.#lastRevision = 0;
    this.#isCurrent = false;
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { store, clock, random, log } = this.#options;
    const backoff = new Backoff({ firstMs: 100, maxMs: 2000 }, random);
    while (!signal.aborted) {
      try {
        await this.#follow(store, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#failure = error;
        log.debug("the history is read anew", { error: describeError(error) });
        // Another store has another history, under the same revisions.
        if (storeErrorCode(error) === "STORE_REPLACED") this.#forget();
      }
      await clock.sleep(backoff.next(), signal).catch(() => undefined);
    }
  }

  async #follow(store: StoreClient, signal: AbortSignal): Promise<void> {
    const chronicle = new Chronicle();
    const { clock } = this.#options;
    for await (const { since, steps, isCurrent } of readHistory(store, { mostRevisions, signal })) {
      this.#since = since;
      for (const step of steps) {
        const told = chronicle.tell(step, this.#isCurrent ? clock.wall() : undefined);
        // Read anew after an interruption, what was told before is told again.
        if (step.revision > this.#lastRevision) this.#events.push(...told);
        this.#lastRevision = Math.max(this.#lastRevision, step.revision);
      }
      const tooMany = this.#events.length - mostEvents;
      if (tooMany > mostEvents / 10) {
        this.#events = this.#events.slice(tooMany);
        this.#first += tooMany;
      }
      this.#isCurrent ||= isCurrent;
      this.#failure = undefined;
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
      // Others have their turn: the history may be long.
      await setImmediate();
    }
  }
}

function silence(failure: unknown): KeelError {
  const because = failure === undefined ? `nothing came for ${silentMs / 1000} s` : describeError(failure);
  return new KeelError("KEEL-401", `the store does not tell its history: ${because}`, { cause: failure });
}
