// A live view of the store: one range, then one watch, an immutable snapshot after every batch of events.
// The leader decides from it, the API answers from it. Bodies are not part of it (body-cache.ts).
// Invariants: a snapshot never changes; it shows whole transactions only; while `continuousSinceMs` is
// defined, the store was heard without a break since then.
import { Backoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { describeError, KeelError } from "../base/errors.ts";
import { Lifetime } from "../base/lifetime.ts";
import type { Log } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import type { Random } from "../base/random.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import { nameIn, prefixes, root } from "../model/keys.ts";
import { SnapshotBuilder } from "./snapshot-builder.ts";
import type { KeyChange } from "./snapshot-builder.ts";
import { prefixEnd, storeErrorCode } from "./store-client.ts";
import type { StoreClient, WatchBatch } from "./store-client.ts";

/** `machines`: only leader/, machines/ and members/, for those who stand by. Both are one range of keys. */
export type ViewScope = "all" | "machines";

const ranges: Readonly<Record<ViewScope, { readonly key: string; readonly end: string }>> = {
  all: { key: prefixEnd(prefixes.bodies), end: prefixEnd(root) },
  machines: { key: prefixes.leader, end: prefixEnd(prefixes.members) },
};

export interface ClusterViewOptions {
  readonly scope: ViewScope;
  readonly log: Log;
  readonly clock: Clock;
  readonly random?: Random;
  /** Ends the view. */
  readonly signal?: AbortSignal;
  /** How often the store is asked for a sign of life when the watch is quiet. 2 s unless given. */
  readonly contactMs?: number;
}

export interface ViewChange {
  readonly snapshot: ClusterSnapshot;
  /** The keys that changed. Empty when everything was read afresh (`reset`). */
  readonly keys: readonly string[];
  readonly reset: boolean;
}

const pageSize = 2000;

/** After these the history between then and now is not to be had: everything is read afresh. */
const lostTrack: ReadonlySet<string> = new Set(["COMPACTED", "FUTURE_REVISION", "STORE_REPLACED"]);

export class ClusterView implements AsyncDisposable {
  readonly #client: StoreClient;
  readonly #options: ClusterViewOptions;
  readonly #lifetime: Lifetime;
  readonly #builder: SnapshotBuilder;
  readonly #damaged = new Map<string, string>();
  /** What was found damaged while everything is read afresh. */
  #foundDamaged: Map<string, string> | undefined;
  readonly #goneSince = new Map<string, number>();
  readonly #listeners = new Set<(change: ViewChange) => void>();
  #synced = false;
  #watching = false;
  #lastContact: number | undefined;
  #continuousSince: number | undefined;
  /** Ends the watch that runs, so that everything is read afresh. */
  #restart = new AbortController();

  private constructor(client: StoreClient, options: ClusterViewOptions) {
    this.#client = client;
    this.#options = options;
    this.#lifetime = new Lifetime(options.log, options.signal);
    this.#builder = new SnapshotBuilder((key, reason) => this.#noteDamage(key, reason));
  }

  /** Starts a view; `synced` tells when it shows something. It reconnects until it is closed. */
  static open(client: StoreClient, options: ClusterViewOptions): ClusterView {
    const view = new ClusterView(client, options);
    view.#lifetime.run("cluster view", (signal) => view.#follow(signal));
    view.#lifetime.run("cluster view contact", (signal) => view.#keepContact(signal));
    return view;
  }

  /** Of revision 0 and empty until the view is synced. */
  get snapshot(): ClusterSnapshot {
    return this.#builder.snapshot;
  }

  get isSynced(): boolean {
    return this.#synced;
  }

  /** Since when (`Clock.now()`) the store was heard without a break; undefined while it is not heard. */
  get continuousSinceMs(): number | undefined {
    const { clock, contactMs = 2000 } = this.#options;
    const isStale = this.#lastContact === undefined || clock.now() - this.#lastContact > 3 * contactMs;
    return isStale ? undefined : this.#continuousSince;
  }

  /** Members without a machine record, and since when (`Clock.now()`) this view knows it. */
  get goneSince(): ReadonlyMap<string, number> {
    return this.#goneSince;
  }

  /** Keys of records that could not be read, with the reason. They are not part of the snapshot. */
  get damaged(): ReadonlyMap<string, string> {
    return this.#damaged;
  }

  /** Calls back after each change of the snapshot; returns how to stop that. */
  onChange(listener: (change: ViewChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  synced(signal?: AbortSignal): Promise<ClusterSnapshot> {
    return this.waitFor(() => this.#synced, signal);
  }

  /**
   * Resolves with the first snapshot that satisfies the predicate, or that shows this revision.
   * Rejects with the signal's reason, or KEEL-401 when the view is closed.
   */
  waitFor(
    target: number | ((snapshot: ClusterSnapshot) => boolean),
    signal?: AbortSignal,
  ): Promise<ClusterSnapshot> {
    const holds = typeof target === "number" ? (it: ClusterSnapshot) => it.revision >= target : target;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (this.#synced && holds(this.snapshot)) return resolve(this.snapshot);
      const settle = (done: () => void) => () => {
        stop();
        signal?.removeEventListener("abort", onAbort);
        this.#lifetime.signal.removeEventListener("abort", onClose);
        done();
      };
      const stop = this.onChange(({ snapshot }) => {
        if (holds(snapshot)) settle(() => resolve(snapshot))();
      });
      const onAbort = settle(() => reject(signal?.reason));
      const onClose = settle(() => reject(new KeelError("KEEL-401", "the view of the cluster was closed")));
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#lifetime.signal.addEventListener("abort", onClose, { once: true });
      if (this.#lifetime.signal.aborted) onClose();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime.close();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { random = systemRandom, clock, log, scope } = this.#options;
    const backoff = new Backoff({ firstMs: 100, maxMs: 2000 }, random);
    let mustLoad = true;
    while (!signal.aborted) {
      this.#restart = new AbortController();
      try {
        if (mustLoad) await this.#load(signal);
        mustLoad = false;
        this.#watching = true;
        this.#heard();
        const watch = { ...ranges[scope], from: this.snapshot.revision + 1 };
        for await (const batch of this.#client.watch(
          watch,
          AbortSignal.any([signal, this.#restart.signal]),
        )) {
          backoff.reset();
          this.#take(batch);
        }
        mustLoad = this.#restart.signal.aborted;
      } catch (error) {
        if (signal.aborted) return;
        const code = storeErrorCode(error);
        mustLoad ||= code !== undefined && lostTrack.has(code);
        log.debug("the view of the cluster was interrupted", { error: describeError(error) });
      }
      this.interrupt();
      this.#watching = false;
      if (!signal.aborted) await clock.sleep(backoff.next(), signal);
    }
  }

  async #load(signal: AbortSignal): Promise<void> {
    let parts: ReturnType<SnapshotBuilder["startOver"]> | undefined;
    let { key, end } = ranges[this.#options.scope];
    let revision: number | undefined;
    for (;;) {
      const request = { key, end, limit: pageSize, ...(revision === undefined ? {} : { revision }) };
      const page = await this.#client.range(request, { signal, timeoutMs: 10_000 });
      revision ??= page.revision;
      parts ??= this.#startOver(revision);
      // Made sense of at once: the bytes of a large cluster need not be held all together.
      parts.add(page.values);
      const last = page.values.at(-1);
      if (!page.more || last === undefined) break;
      key = `${last.key}\0`;
    }
    const snapshot = parts.finish();
    this.#foundDamaged &&= this.#showDamaged(this.#foundDamaged);
    this.#synced = true;
    this.#noteGone(snapshot, [...snapshot.members.keys(), ...this.#goneSince.keys()]);
    this.#emit({ snapshot, keys: [], reset: true });
  }

  #startOver(revision: number): ReturnType<SnapshotBuilder["startOver"]> {
    this.#foundDamaged = new Map();
    return this.#builder.startOver(revision);
  }

  #take({ revision, events }: WatchBatch): void {
    this.#heard();
    if (revision <= this.snapshot.revision) return;
    const changes = events.map(({ type, key, value, createRevision }): KeyChange => ({
      key,
      createRevision,
      value: type === "delete" ? undefined : value,
    }));
    const snapshot = this.#builder.apply(revision, changes);
    const changedKeys = [...new Set(events.map(({ key }) => key))];
    this.#noteGone(
      snapshot,
      changedKeys.flatMap((key) => nameIn(prefixes.machines, key) ?? nameIn(prefixes.members, key) ?? []),
    );
    this.#emit({ snapshot, keys: changedKeys, reset: false });
  }

  #noteGone(snapshot: ClusterSnapshot, machines: Iterable<string>): void {
    for (const id of new Set(machines)) {
      const isGone = snapshot.members.has(id) && !snapshot.machines.has(id);
      if (!isGone) this.#goneSince.delete(id);
      else if (!this.#goneSince.has(id)) this.#goneSince.set(id, this.#options.clock.now());
    }
  }

  #emit(change: ViewChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#options.log.error("a listener of the view failed", { error: describeError(error) });
      }
    }
  }

  /** Until everything has been read the snapshot is the one before, and so is what it lacks. */
  #showDamaged(found: ReadonlyMap<string, string>): undefined {
    this.#damaged.clear();
    for (const [key, reason] of found) this.#damaged.set(key, reason);
  }

  #noteDamage(key: string, reason: string): void {
    if (this.#foundDamaged !== undefined) {
      if (reason === "") return;
      if (this.#damaged.get(key) !== reason) this.#options.log.warn("left out a record", { key, reason });
      return void this.#foundDamaged.set(key, reason);
    }
    if (reason === "") return void this.#damaged.delete(key);
    if (this.#damaged.get(key) !== reason) this.#options.log.warn("left out a record", { key, reason });
    this.#damaged.set(key, reason);
  }

  /** Asks the store for a sign of life when the watch is quiet: a quiet watch may be a dead one. */
  async #keepContact(signal: AbortSignal): Promise<void> {
    const { clock, contactMs = 2000 } = this.#options;
    for (;;) {
      await clock.sleep(contactMs, signal);
      if (this.#lastContact !== undefined && clock.now() - this.#lastContact < contactMs / 2) continue;
      try {
        const request = { key: prefixes.leader, limit: 1, keysOnly: true };
        const { revision } = await this.#client.range(request, { signal, timeoutMs: contactMs });
        // A store that knows less than it did was put back to an older state.
        if (this.#synced && revision < this.snapshot.revision) this.#restart.abort();
        else if (this.#watching) this.#heard();
      } catch {
        this.interrupt();
      }
    }
  }

  #heard(): void {
    const { clock, contactMs = 2000 } = this.#options;
    const now = clock.now();
    // This process may have stood still itself: silence counts, whoever was silent.
    if (this.#lastContact !== undefined && now - this.#lastContact > 3 * contactMs) this.interrupt();
    this.#lastContact = now;
    this.#continuousSince ??= now;
  }

  /** Breaks the continuity. Who tells others that it has no contact promises with that to start counting anew. */
  interrupt(): void {
    this.#continuousSince = undefined;
  }
}
