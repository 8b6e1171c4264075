// Everything below /keelson/store/, live: one range, then one watch. The machines' certificates, the members'
// orders and the store's own location are read from it.
// Invariants: what cannot be read is left out and named once; a break in the watch loses nothing.
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { keys, machineAndUnit, nameIn, prefixes } from "../model/keys.ts";
import type { RecordCodec } from "../model/record.ts";
import {
  authorityCodec,
  certificateCodec,
  locationCodec,
  memberOrderCodec,
  memberReportCodec,
  replacementCodec,
  requestCodec,
  storeClientCodec,
} from "../model/store.ts";
import type {
  CertificateRequest,
  IssuedCertificate,
  MemberOrder,
  MemberReport,
  StoreAuthority,
  StoreClientRecord,
  StoreLocation,
} from "../model/store.ts";
import { prefixEnd } from "./store-client.ts";
import type { StoreClient, StoredValue } from "./store-client.ts";

export interface StoreRecordsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly signal?: AbortSignal;
}

type Values = ReadonlyMap<string, Pick<StoredValue, "value" | "modRevision">>;

const range = { key: prefixes.store, end: prefixEnd(prefixes.store) };

export class StoreRecords implements AsyncDisposable {
  readonly #store: StoreClient;
  readonly #options: StoreRecordsOptions;
  readonly #lifetime: Lifetime;
  readonly #listeners = new Set<() => void>();
  readonly #damaged = new Set<string>();
  #values: Values = new Map();
  #revision = 0;

  private constructor(store: StoreClient, options: StoreRecordsOptions) {
    this.#store = store;
    this.#options = options;
    this.#lifetime = new Lifetime(options.log, options.signal);
  }

  static open(store: StoreClient, options: StoreRecordsOptions): StoreRecords {
    const records = new StoreRecords(store, options);
    records.#lifetime.run("store records", (signal) => records.#follow(signal));
    return records;
  }

  /** Revision that they show; 0 before they were read. */
  get revision(): number {
    return this.#revision;
  }

  get location(): StoreLocation | undefined {
    return this.#read(keys.storeLocation, locationCodec);
  }

  get authority(): StoreAuthority | undefined {
    return this.#read(keys.storeAuthority, authorityCodec);
  }

  order(machine: string): MemberOrder | undefined {
    return this.#read(keys.storeMember(machine), memberOrderCodec);
  }

  report(machine: string): MemberReport | undefined {
    return this.#read(keys.storeReport(machine), memberReportCodec);
  }

  client(machine: string): StoreClientRecord | undefined {
    return this.#read(keys.storeClient(machine), storeClientCodec);
  }

  request(machine: string, use: string): CertificateRequest | undefined {
    return this.#read(keys.storeRequest(machine, use), requestCodec);
  }

  certificate(machine: string, use: string): IssuedCertificate | undefined {
    return this.#read(keys.storeCertificate(machine, use), certificateCodec);
  }

  /** The orders of all machines. */
  orders(): readonly MemberOrder[] {
    return this.#below(keys.storeMember("")).flatMap((machine) => this.order(machine) ?? []);
  }

  /** Machines whose member a person wants elsewhere. */
  replacements(): ReadonlySet<string> {
    const asked = this.#below(keys.storeReplacement(""));
    return new Set(asked.filter((id) => this.#read(keys.storeReplacement(id), replacementCodec)));
  }

  /** Machines about which there is any record. */
  machines(): ReadonlySet<string> {
    const places = [...this.#values.keys()].map((key) => key.slice(prefixes.store.length).split("/")[1]);
    return new Set(places.filter((machine) => machine !== undefined));
  }

  /** Who asks for certificates of what use. */
  requests(): readonly { readonly machine: string; readonly use: string }[] {
    const prefix = keys.storeRequest("", "").slice(0, -1);
    return [...this.#values.keys()].flatMap((key) => {
      const place = machineAndUnit(prefix, key);
      return place === undefined ? [] : { machine: place.machine, use: place.unit };
    });
  }

  /** Calls back after every change; returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves as soon as the condition holds. Rejects with the signal's reason. */
  until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (this.#revision > 0 && condition()) resolve();
    };
    const giveUp = (): void => reject(signal.reason);
    const stop = this.onChange(look);
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
    look();
    return promise.finally(() => {
      stop();
      signal.removeEventListener("abort", giveUp);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.close();
  }

  #below(prefix: string): readonly string[] {
    return [...this.#values.keys()].flatMap((key) => nameIn(prefix, key) ?? []);
  }

  #read<T>(key: string, codec: RecordCodec<T>): T | undefined {
    const stored = this.#values.get(key);
    if (stored === undefined) return undefined;
    try {
      return codec.decode(key, stored.value);
    } catch (error) {
      const name = `${key}@${stored.modRevision}`;
      if (!this.#damaged.has(name)) this.#options.log.warn(describeError(error));
      this.#damaged.add(name);
      return undefined;
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#options;
    const backoff = new Backoff({ firstMs: 100, maxMs: 2000 }, random);
    while (!signal.aborted) {
      try {
        const { values, revision } = await this.#store.range(range, { signal, timeoutMs: 5000 });
        this.#take(new Map(values.map((stored) => [stored.key, stored])), revision);
        for await (const batch of this.#store.watch({ ...range, from: revision + 1 }, signal)) {
          backoff.reset();
          if (batch.events.length === 0) continue;
          const next = new Map(this.#values);
          for (const { type, key, value, modRevision } of batch.events) {
            if (type === "delete") next.delete(key);
            else next.set(key, { value, modRevision });
          }
          this.#take(next, batch.revision);
        }
      } catch (error) {
        if (signal.aborted) return;
        log.debug("the store's own records were interrupted", { error: describeError(error) });
      }
      if (!signal.aborted) await clock.sleep(backoff.next(), signal).catch(() => undefined);
    }
  }

  #take(values: Values, revision: number): void {
    this.#values = values;
    this.#revision = revision;
    for (const listener of this.#listeners) listener();
  }
}
