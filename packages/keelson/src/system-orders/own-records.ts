// One machine's system order and its own report, live: each read once, then watched.
// Invariants: what cannot be read is no order; a break in the watch loses nothing.
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { keys } from "../model/keys.ts";
import { checkName } from "../model/record.ts";
import { systemOrderCodec } from "../model/system-update.ts";
import type { SystemOrder } from "../model/system-update.ts";
import type { StoreClient } from "../registry/store-client.ts";

export interface OwnRecordsOptions {
  readonly machine: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal?: AbortSignal;
}

export class OwnSystemRecords implements AsyncDisposable {
  readonly #store: StoreClient;
  readonly #options: OwnRecordsOptions;
  readonly #lifetime: Lifetime;
  readonly #listeners = new Set<() => void>();
  readonly #values = new Map<string, Uint8Array>();
  #revision = 0;

  private constructor(store: StoreClient, options: OwnRecordsOptions) {
    this.#store = store;
    this.#options = options;
    this.#lifetime = new Lifetime(options.log, options.signal);
  }

  static open(store: StoreClient, options: OwnRecordsOptions): OwnSystemRecords {
    const records = new OwnSystemRecords(store, options);
    const { machine } = options;
    for (const key of [keys.systemOrder(machine), keys.systemReport(machine)])
      records.#lifetime.run(`follow ${key}`, (signal) => records.#follow(key, signal));
    return records;
  }

  /** Revision that they show; 0 before they were read. */
  get revision(): number {
    return this.#revision;
  }

  get order(): SystemOrder | undefined {
    const { machine, log } = this.#options;
    const key = keys.systemOrder(machine);
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    try {
      const order = systemOrderCodec.decode(key, value);
      checkName(key, { own: order.machine, name: machine });
      return order;
    } catch (error) {
      log.warn("the order about this machine's system cannot be read", { error: describeError(error) });
      return undefined;
    }
  }

  /** The report as the store has it; undefined when it has none. */
  get report(): string | undefined {
    const value = this.#values.get(keys.systemReport(this.#options.machine));
    return value === undefined ? undefined : Buffer.from(value).toString();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.close();
  }

  async #follow(key: string, signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options;
    const backoff = new Backoff({ firstMs: 100, maxMs: 2000 }, random);
    while (!signal.aborted) {
      try {
        const { values, revision } = await this.#store.range({ key }, { signal, timeoutMs: 5000 });
        this.#take(key, values[0]?.value, revision);
        for await (const { events, revision: now } of this.#store.watch(
          { key, from: revision + 1 },
          signal,
        )) {
          backoff.reset();
          const last = events.at(-1);
          if (last !== undefined) this.#take(key, last.type === "delete" ? undefined : last.value, now);
        }
      } catch (error) {
        if (signal.aborted) return;
        log.debug("the machine's system records were interrupted", { error: describeError(error) });
      }
      if (!signal.aborted) await clock.sleep(backoff.next(), signal).catch(() => undefined);
    }
  }

  #take(key: string, value: Uint8Array | undefined, revision: number): void {
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
    this.#revision = Math.max(this.#revision, revision);
    for (const listener of this.#listeners) listener();
  }
}
