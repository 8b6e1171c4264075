// What a machine has to say about its units, kept until the store has it. Reports that come close together
// share a transaction; a report that says nothing new is not written.
import type { Clock } from "../base/clock.ts";
import { keys, nameIn } from "../model/keys.ts";
import { statusCodec } from "../model/schedule.ts";
import type { UnitStatus } from "../model/schedule.ts";
import { maxTxnWrites } from "./orders.ts";
import { prefixEnd } from "./store-client.ts";
import type { StoreClient, StoreWrite } from "./store-client.ts";

/** How long a report waits for others. */
const gatherMs = 15;

export class StatusReports {
  readonly #client: StoreClient;
  readonly #machine: string;
  readonly #clock: Clock;
  /** What is to be in the store, as text, by unit. */
  readonly #wanted = new Map<string, string>();
  /** What is there, as far as this daemon wrote it; undefined text: known to be gone. */
  readonly #written = new Map<string, string>();
  readonly #dirty = new Set<string>();
  /** Set while what an earlier daemon left is still to be looked through. */
  #retain: ReadonlySet<string> | undefined;
  #lease = 0n;
  #wake: () => void = () => {};
  #waiting: (() => void)[] = [];
  /** One flush at a time: an older text must never come behind a newer one. */
  #flushing: Promise<void> = Promise.resolve();
  /** Ends a write that hangs, so that it does not delay those under the next lease. */
  #attempt = new AbortController();

  constructor(client: StoreClient, machine: string, clock: Clock) {
    this.#client = client;
    this.#machine = machine;
    this.#clock = clock;
  }

  set(unit: string, status: UnitStatus | undefined): void {
    if (status === undefined) this.#wanted.delete(unit);
    else this.#wanted.set(unit, statusCodec.encode(status));
    this.#dirty.add(unit);
    this.#wake();
  }

  retainOnly(units: ReadonlySet<string>): void {
    this.#retain = units;
    this.#wake();
  }

  /** A new registration: everything is written under this lease. */
  async startOver(lease: bigint, signal: AbortSignal): Promise<void> {
    this.suspend();
    this.#lease = lease;
    this.#written.clear();
    for (const unit of this.#wanted.keys()) this.#dirty.add(unit);
    await this.#flush(signal);
    this.#wake();
  }

  /** No lease, nowhere to write. */
  suspend(): void {
    this.#lease = 0n;
    this.#attempt.abort(new Error("the lease is another one"));
    this.#attempt = new AbortController();
  }

  flushed(signal: AbortSignal): Promise<void> {
    if (this.#isClean) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (signal.aborted) resolve();
    });
  }

  /** Writes what comes until the signal aborts. Rejects when the store does: what is open stays open. */
  async flushForever(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#lease === 0n || this.#isClean) await this.#awake(signal);
      if (signal.aborted) return;
      await this.#clock.sleep(gatherMs, signal);
      await this.#flush(signal);
    }
  }

  get #isClean(): boolean {
    return this.#dirty.size === 0 && this.#retain === undefined;
  }

  #flush(signal: AbortSignal): Promise<void> {
    const flush = this.#flushing.then(() => this.#write(AbortSignal.any([signal, this.#attempt.signal])));
    this.#flushing = flush.catch(() => {});
    return flush;
  }

  async #write(signal: AbortSignal): Promise<void> {
    if (this.#lease === 0n) return;
    if (this.#retain !== undefined) await this.#sweep(this.#retain, signal);
    while (this.#dirty.size > 0) {
      const units = [...this.#dirty].slice(0, maxTxnWrites);
      const texts = new Map(units.map((unit) => [unit, this.#wanted.get(unit)]));
      const write = units.flatMap((unit) => this.#writeOf(unit, texts.get(unit)));
      const lease = this.#lease;
      if (write.length > 0) await this.#client.txn({ compare: [], write }, { signal });
      if (lease !== this.#lease) return;
      for (const [unit, text] of texts) {
        if (text === undefined) this.#written.delete(unit);
        else this.#written.set(unit, text);
        if (this.#wanted.get(unit) === text) this.#dirty.delete(unit);
      }
    }
    if (this.#isClean) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #writeOf(unit: string, text: string | undefined): StoreWrite[] {
    const key = keys.status(this.#machine, unit);
    if (text === undefined) return [{ delete: key }];
    return this.#written.get(unit) === text ? [] : [{ put: key, value: text, lease: this.#lease }];
  }

  async #sweep(retain: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const prefix = keys.statusOf(this.#machine);
    const { values } = await this.#client.range(
      { key: prefix, end: prefixEnd(prefix), keysOnly: true },
      { signal },
    );
    for (const { key } of values) {
      const unit = nameIn(prefix, key);
      if (unit !== undefined && !retain.has(unit) && !this.#wanted.has(unit)) this.#dirty.add(unit);
    }
    this.#retain = undefined;
  }

  #awake(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener("abort", done);
        this.#wake = () => {};
        resolve();
      };
      this.#wake = done;
      signal.addEventListener("abort", done, { once: true });
      if (this.#lease !== 0n && !this.#isClean) done();
    });
  }
}
