// One machine's own orders: one range, then one watch over schedule/<machine>/ and nothing else.
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { keys, nameIn } from "../model/keys.ts";
import { checkName } from "../model/record.ts";
import { scheduleCodec } from "../model/schedule.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import { prefixEnd } from "./store-client.ts";
import type { StoreClient } from "./store-client.ts";

export interface MachineOrdersOptions {
  readonly machine: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal?: AbortSignal;
  /**
   * Called with all orders whenever some changed, and once when they are known first. `unreadable` are units with an
   * order that cannot be read and never could: whatever they do, they go on with it.
   */
  readonly onOrders: (orders: ReadonlyMap<string, ScheduleEntry>, unreadable: ReadonlySet<string>) => void;
}

export class MachineOrders implements AsyncDisposable {
  readonly #client: StoreClient;
  readonly #options: MachineOrdersOptions;
  readonly #lifetime: Lifetime;
  readonly #orders = new Map<string, ScheduleEntry>();
  readonly #unreadable = new Set<string>();
  #revision = 0;

  private constructor(client: StoreClient, options: MachineOrdersOptions) {
    this.#client = client;
    this.#options = options;
    this.#lifetime = new Lifetime(options.log, options.signal);
  }

  static open(client: StoreClient, options: MachineOrdersOptions): MachineOrders {
    const orders = new MachineOrders(client, options);
    orders.#lifetime.run("machine orders", (signal) => orders.#follow(signal));
    return orders;
  }

  /** Reads them afresh from the store, and tells if they changed. */
  async refresh(signal: AbortSignal): Promise<void> {
    const prefix = keys.scheduleOf(this.#options.machine);
    const known = this.#revision;
    const { revision, values } = await this.#client.range(
      { key: prefix, end: prefixEnd(prefix) },
      { signal },
    );
    // The watch has not noticed yet that the store was put back.
    if (revision < known) throw new Error("the store holds older orders than it has told");
    if (revision < this.#revision) return;
    const before = new Map(this.#orders);
    this.#orders.clear();
    this.#unreadable.clear();
    for (const { key, value } of values) this.#take(key, value, before);
    this.#revision = revision;
    this.#tell();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.close();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, random, log, machine } = this.#options;
    const prefix = keys.scheduleOf(machine);
    const backoff = new Backoff({ firstMs: 100, maxMs: 2000 }, random);
    while (!signal.aborted) {
      try {
        this.#revision = 0;
        await this.refresh(signal);
        const request = { key: prefix, end: prefixEnd(prefix), from: this.#revision + 1 };
        for await (const { revision, events } of this.#client.watch(request, signal)) {
          backoff.reset();
          const news = events.filter(({ modRevision }) => modRevision > this.#revision);
          for (const { type, key, value } of news) this.#take(key, type === "delete" ? undefined : value);
          this.#revision = Math.max(this.#revision, revision);
          if (news.length > 0) this.#tell();
        }
      } catch (error) {
        if (signal.aborted) return;
        log.debug("the orders are not followed", { error: describeError(error) });
      }
      if (!signal.aborted) await clock.sleep(backoff.next(), signal);
    }
  }

  #tell(): void {
    this.#options.onOrders(new Map(this.#orders), new Set(this.#unreadable));
  }

  #take(
    key: string,
    value: Uint8Array | undefined,
    before: ReadonlyMap<string, ScheduleEntry> = this.#orders,
  ): void {
    const unit = nameIn(keys.scheduleOf(this.#options.machine), key);
    if (unit === undefined || unit === "") return;
    this.#unreadable.delete(unit);
    if (value === undefined) return void this.#orders.delete(unit);
    try {
      const entry = scheduleCodec.decode(key, value);
      checkName(key, { own: entry.unit, name: unit });
      this.#orders.set(unit, entry);
    } catch (error) {
      // What cannot be read changes nothing: the unit goes on as it was told before.
      const former = before.get(unit);
      if (former === undefined) this.#unreadable.add(unit);
      else this.#orders.set(unit, former);
      this.#options.log.error("an order cannot be read", { key, error: describeError(error) });
    }
  }
}
