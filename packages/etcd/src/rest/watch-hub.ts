// Everyone who waits shares one watch of the store, which runs while anyone does and a little longer. What it told
// last is kept, so that a client that comes back with its next index misses nothing. Who asks for older events
// reads the store's own history until it has caught up.
import { EtcdError } from "../errors.ts";
import {
  byRevision,
  concerned,
  concerns,
  eventsOf,
  type Interest,
  type Past,
  type ToldEvent,
} from "./events.ts";
import { readEntry } from "./journal.ts";
import type { KeysStore } from "./keys-store.ts";
import type { KeysEvent } from "./node.ts";
import { everything, journalKey } from "./paths.ts";

/** Events that are kept, as etcd keeps them. */
const KEPT = 1000;
/** Events that wait for one watcher before it is given up. */
const MOST_WAITING = 1000;
const LINGER_MS = 30_000;

interface Watcher extends Interest {
  readonly from: number;
  readonly waiting: KeysEvent[];
  /** No more will come; with an error if that is why. */
  ended: boolean;
  error: unknown;
  wake: () => void;
}

export interface WatchRequest extends Interest {
  /** First index of interest. */
  readonly from: number;
  readonly signal: AbortSignal;
}

export interface WatchHubOptions {
  readonly root: string;
  /** Milliseconds since 1970. */
  readonly wall: () => number;
}

export class KeysWatchHub implements Disposable {
  readonly #store: KeysStore;
  readonly #root: string;
  readonly #past: Past;
  readonly #watchers = new Map<string, Set<Watcher>>();
  #kept: ToldEvent[] = [];
  /** First revision of which everything is kept or still to come; 0 while nothing runs. */
  #start = 0;
  #running: AbortController | undefined;
  #starting: Promise<void> | undefined;
  #linger: NodeJS.Timeout | undefined;
  #count = 0;

  constructor(store: KeysStore, { root, wall }: WatchHubOptions) {
    this.#store = store;
    this.#root = root;
    const key = journalKey(root);
    this.#past = {
      wall,
      leaseExists: async (lease) => (await store.lease(lease)) !== undefined,
      entryAt: async (revision) => {
        const { results } = await store.read([{ key }], revision).catch((error: unknown) => {
          if (error instanceof EtcdError && error.code === "COMPACTED") return { results: [] };
          throw error;
        });
        const kv = results[0]?.[0];
        return kv?.modRevision === revision ? readEntry(kv.value) : undefined;
      },
    };
  }

  /** Watchers now. */
  get count(): number {
    return this.#count;
  }

  /**
   * Events from an index on. Ends with the signal, or when the watcher is too slow; rejects with COMPACTED when
   * the history that it asks for is gone, and when the store's watch ends.
   */
  async *watch({ signal, from, ...interest }: WatchRequest): AsyncGenerator<KeysEvent, void, void> {
    this.#count++;
    clearTimeout(this.#linger);
    try {
      await this.#run();
      let next = from;
      while (next < this.#start && !signal.aborted) {
        for await (const batch of this.#store.watch(everything(this.#root), next, signal)) {
          for (const changes of byRevision(batch.changes)) {
            for (const told of await eventsOf(changes, this.#root, this.#past)) {
              if (!told.isRefresh && concerned(interest, told)) yield told.event;
            }
          }
          next = batch.revision + 1;
          if (next >= this.#start) break;
        }
      }
      if (!signal.aborted) yield* this.#follow({ ...interest, from: next }, signal);
    } finally {
      if (--this.#count === 0) {
        this.#linger = setTimeout(() => this.#stop(undefined), LINGER_MS);
        this.#linger.unref();
      }
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#linger);
    this.#stop(undefined);
  }

  async *#follow(
    { path, recursive, from }: Interest & { readonly from: number },
    signal: AbortSignal,
  ): AsyncGenerator<KeysEvent, void, void> {
    const interest = { path, recursive };
    const past = this.#kept.filter(
      (told) => told.index >= from && !told.isRefresh && concerned(interest, told),
    );
    const watcher: Watcher = {
      ...interest,
      from,
      waiting: past.map(({ event }) => event),
      ended: this.#running === undefined,
      error: undefined,
      wake: () => undefined,
    };
    const there = this.#watchers.get(path);
    if (there === undefined) this.#watchers.set(path, new Set([watcher]));
    else there.add(watcher);
    const abort = (): void => end(watcher, undefined);
    signal.addEventListener("abort", abort, { once: true });
    try {
      while (!signal.aborted) {
        const event = watcher.waiting.shift();
        if (event !== undefined) yield event;
        else if (watcher.ended) break;
        else await new Promise<void>((resolve) => (watcher.wake = resolve));
      }
      if (watcher.error !== undefined) throw watcher.error;
    } finally {
      signal.removeEventListener("abort", abort);
      const left = this.#watchers.get(path);
      left?.delete(watcher);
      if (left?.size === 0) this.#watchers.delete(path);
    }
  }

  /** Starts the shared watch unless it runs. */
  #run(): Promise<void> {
    if (this.#running !== undefined) return Promise.resolve();
    this.#starting ??= this.#begin().finally(() => (this.#starting = undefined));
    return this.#starting;
  }

  async #begin(): Promise<void> {
    const { revision } = await this.#store.read([{ key: journalKey(this.#root) }]);
    const running = new AbortController();
    this.#running = running;
    this.#start = revision + 1;
    this.#kept = [];
    this.#tell(this.#start, running.signal).then(
      () => this.#stopped(running, undefined),
      (error: unknown) => this.#stopped(running, error),
    );
  }

  async #tell(from: number, signal: AbortSignal): Promise<void> {
    for await (const { changes } of this.#store.watch(everything(this.#root), from, signal)) {
      for (const group of byRevision(changes)) {
        const events = await eventsOf(group, this.#root, this.#past);
        for (const told of events) this.#dispatch(told);
      }
    }
  }

  #dispatch(told: ToldEvent): void {
    this.#kept.push(told);
    if (this.#kept.length > 2 * KEPT) {
      const dropped = this.#kept[this.#kept.length - KEPT - 1]?.index ?? 0;
      this.#kept = this.#kept.filter(({ index }) => index > dropped);
      this.#start = dropped + 1;
    }
    if (told.isRefresh) return;
    const { path } = told.event.node;
    const paths = new Set([path, ...told.gone, ""]);
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1))
      paths.add(path.slice(0, at));
    for (const one of paths) {
      for (const watcher of this.#watchers.get(one) ?? []) {
        if (watcher.ended || told.index < watcher.from || !concerns(watcher, told)) continue;
        if (watcher.waiting.push(told.event) > MOST_WAITING) end(watcher, undefined);
        watcher.wake();
      }
    }
  }

  #stop(error: unknown): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#stopped(running, error);
    running.abort();
  }

  #stopped(running: AbortController, error: unknown): void {
    if (this.#running !== running) return;
    this.#running = undefined;
    for (const there of this.#watchers.values()) for (const watcher of there) end(watcher, error);
  }
}

function end(watcher: Watcher, error: unknown): void {
  watcher.ended = true;
  watcher.error = error;
  watcher.wake();
}
