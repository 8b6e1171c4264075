// What people configured of the update service, live: everything below /keelson/updates/, one range and one watch.
// Invariants: a record that cannot be read counts as it was when it last could, and is named once; a break in the
// watch loses nothing.
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { describeError } from "../base/errors.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { keys, prefixes } from "../model/keys.ts";
import { checkName } from "../model/record.ts";
import {
  applicationCodec,
  packageCodec,
  updateChannelCodec,
  updateGroupCodec,
} from "../model/update-service.ts";
import type {
  UpdateApplication,
  UpdateChannel,
  UpdateGroup,
  UpdatePackage,
} from "../model/update-service.ts";
import { prefixEnd } from "./store-client.ts";
import type { StoreClient } from "./store-client.ts";

/** All records of each kind, in the order of their keys. */
export interface UpdateConfigurationRecords {
  readonly applications: readonly UpdateApplication[];
  readonly packages: readonly UpdatePackage[];
  readonly channels: readonly UpdateChannel[];
  readonly groups: readonly UpdateGroup[];
}

export interface UpdateRecordsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal?: AbortSignal;
  /** Called with everything, once when it is known first and then whenever something changed. */
  readonly onRecords: (records: UpdateConfigurationRecords) => void;
}

type Known =
  | { readonly kind: "applications"; readonly record: UpdateApplication }
  | { readonly kind: "packages"; readonly record: UpdatePackage }
  | { readonly kind: "channels"; readonly record: UpdateChannel }
  | { readonly kind: "groups"; readonly record: UpdateGroup };

const span = { key: prefixes.updates, end: prefixEnd(prefixes.updates) };
/** Keys that one answer of the store brings. */
const PAGE = 500;

export class UpdateRecords implements AsyncDisposable {
  readonly #client: StoreClient;
  readonly #options: UpdateRecordsOptions;
  readonly #lifetime: Lifetime;
  #known: ReadonlyMap<string, Known> = new Map();

  private constructor(client: StoreClient, options: UpdateRecordsOptions) {
    this.#client = client;
    this.#options = options;
    this.#lifetime = new Lifetime(options.log, options.signal);
  }

  static open(client: StoreClient, options: UpdateRecordsOptions): UpdateRecords {
    const records = new UpdateRecords(client, options);
    records.#lifetime.run("update records", (signal) => records.#follow(signal));
    return records;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.close();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options;
    const backoff = new Backoff({ firstMs: 100, maxMs: 2000 }, random);
    while (!signal.aborted) {
      try {
        const revision = await this.#readAll(signal);
        for await (const { events } of this.#client.watch({ ...span, from: revision + 1 }, signal)) {
          backoff.reset();
          if (events.length === 0) continue;
          const next = new Map(this.#known);
          for (const { type, key, value } of events) {
            if (type === "delete") next.delete(key);
            else this.#take(key, value, next);
          }
          this.#tell(next);
        }
      } catch (error) {
        if (signal.aborted) return;
        log.debug("the records of the update service are not followed", { error: describeError(error) });
      }
      if (!signal.aborted) await clock.sleep(backoff.next(), signal).catch(() => undefined);
    }
  }

  /** Page by page, all of one revision, which is returned. */
  async #readAll(signal: AbortSignal): Promise<number> {
    const next = new Map<string, Known>();
    let at: number | undefined;
    for (let key: string = span.key; ;) {
      const page = { key, end: span.end, limit: PAGE, ...(at === undefined ? {} : { revision: at }) };
      const { revision, values, more } = await this.#client.range(page, { signal, timeoutMs: 5000 });
      at ??= revision;
      for (const { key: name, value } of values) {
        const before = this.#known.get(name);
        if (before !== undefined) next.set(name, before);
        this.#take(name, value, next);
      }
      const last = values.at(-1);
      if (!more || last === undefined) break;
      key = `${last.key}\0`;
    }
    this.#tell(next);
    return at;
  }

  #take(key: string, value: Uint8Array, into: Map<string, Known>): void {
    try {
      const known = decode(key, value);
      if (known !== undefined) into.set(key, known);
    } catch (error) {
      this.#options.log.error("a record of the update service cannot be read", {
        key,
        counts: into.has(key) ? "as it was before" : "not at all",
        error: describeError(error),
      });
    }
  }

  #tell(known: ReadonlyMap<string, Known>): void {
    this.#known = known;
    const all = [...known].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
    this.#options.onRecords({
      applications: all.flatMap((one) => (one.kind === "applications" ? one.record : [])),
      packages: all.flatMap((one) => (one.kind === "packages" ? one.record : [])),
      channels: all.flatMap((one) => (one.kind === "channels" ? one.record : [])),
      groups: all.flatMap((one) => (one.kind === "groups" ? one.record : [])),
    });
  }
}

/** Undefined for a key that is none of theirs. Throws KEEL-402. */
function decode(key: string, value: Uint8Array): Known | undefined {
  const named = <T>(record: T, own: string): T => {
    checkName(key, { own, name: key });
    return record;
  };
  if (key.startsWith(prefixes.updateApplications)) {
    const record = applicationCodec.decode(key, value);
    return { kind: "applications", record: named(record, keys.updateApplication(record.id)) };
  }
  if (key.startsWith(prefixes.updatePackages)) {
    const record = packageCodec.decode(key, value);
    const own = keys.updatePackage(record.application, record.version, record.architecture);
    return { kind: "packages", record: named(record, own) };
  }
  if (key.startsWith(prefixes.updateChannels)) {
    const record = updateChannelCodec.decode(key, value);
    return { kind: "channels", record: named(record, keys.updateChannel(record.application, record.name)) };
  }
  if (key.startsWith(prefixes.updateGroups)) {
    const record = updateGroupCodec.decode(key, value);
    return { kind: "groups", record: named(record, keys.updateGroup(record.application, record.name)) };
  }
  return undefined;
}
