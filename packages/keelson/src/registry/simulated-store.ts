// A store in memory for scenarios: transactions, revisions, watches and leases as etcd has them, on a clock that
// the scenario moves. Each machine talks through a door of its own, which can be shut (refused) or cut (silent), in both directions or one.
import type { Clock } from "../base/clock.ts";
import type {
  CallOptions,
  Compare,
  RangeAnswer,
  RangeRequest,
  StoreClient,
  StoredValue,
  StoreEvent,
  StoreWrite,
  Txn,
  TxnAnswer,
  WatchBatch,
  WatchRequest,
} from "./store-client.ts";

/**
 * `open`; `refused`: the store does not run; `cut`: nothing gets through; `mute`: requests do not get there; `deaf`: they
 * do and are carried out, but no answer comes back.
 */
export type DoorState = "open" | "refused" | "cut" | "mute" | "deaf";

interface Lease {
  readonly seconds: number;
  expires: number;
}

interface Follower {
  readonly request: WatchRequest;
  readonly wake: () => void;
  readonly door: SimulatedDoor;
  next: number;
  /** It has been told that there is nothing more. */
  isTold: boolean;
}

/** Revisions that are kept. */
const mostRevisions = 10_000;

const encoder = new TextEncoder();

/** An error with a code of the etcd client. */
class SimulatedStoreError extends Error {
  override readonly name = "SimulatedStoreError";
  readonly code: string;
  readonly compactRevision: number | undefined;

  constructor(code: string, compactRevision?: number) {
    super(`the simulated store answers ${code}`);
    this.code = code;
    this.compactRevision = compactRevision;
  }
}

export class SimulatedStore {
  readonly clock: Clock;
  readonly #values = new Map<string, StoredValue>();
  readonly #leases = new Map<bigint, Lease>();
  /** What there was before the history begins. */
  readonly #before = new Map<string, StoredValue>();
  readonly #history: { readonly revision: number; readonly events: readonly StoreEvent[] }[] = [];
  readonly #followers = new Set<Follower>();
  readonly #observers = new Set<(events: readonly StoreEvent[]) => void>();
  #revision = 1;
  /** The oldest revision that can be read and watched. */
  #oldest = 1;
  #nextLease = 1n;
  #running = true;
  /** Transactions that changed something, for figures. */
  writes = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get revision(): number {
    return this.#revision;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  /** Everything that is stored, in the order of keys. */
  get values(): readonly StoredValue[] {
    return this.#sorted();
  }

  /** Calls back within each transaction that changes something, before anyone else can hear of it. */
  observe(observer: (events: readonly StoreEvent[]) => void): void {
    this.#observers.add(observer);
  }

  /** A client of its own for one machine. */
  door(): SimulatedDoor {
    return new SimulatedDoor(this);
  }

  /** The store goes away: connections are refused, watches end. */
  stop(): void {
    this.#running = false;
    this.wakeAll();
  }

  /** The store runs again; each lease gets its full time anew. */
  start(): void {
    this.#running = true;
    for (const lease of this.#leases.values()) lease.expires = this.clock.now() + lease.seconds * 1000;
    this.wakeAll();
  }

  /** Lets the leases expire whose time is over. Each call of a door does so, and each tick of a scenario should. */
  expire(): void {
    if (!this.#running) return;
    for (const [id, lease] of this.#leases) if (lease.expires <= this.clock.now()) this.revoke(id);
  }

  range({ key, end, revision, limit, keysOnly }: RangeRequest): RangeAnswer {
    const all = (revision === undefined ? this.#sorted() : this.#past(revision)).filter((value) =>
      isWithin(value.key, key, end),
    );
    const some = limit === undefined ? all : all.slice(0, limit);
    const values = keysOnly ? some.map((value) => ({ ...value, value: new Uint8Array() })) : some;
    return { revision: this.#revision, values, more: some.length < all.length };
  }

  txn({ compare, write }: Txn): TxnAnswer {
    if (Math.max(compare.length, write.length) > 128) throw new SimulatedStoreError("TOO_MANY_OPS");
    if (!compare.every((condition) => this.#holds(condition))) {
      return { succeeded: false, revision: this.#revision };
    }
    for (const one of write) {
      if ("put" in one && one.lease && !this.#leases.has(one.lease))
        throw new SimulatedStoreError("LEASE_NOT_FOUND");
    }
    const revision = this.#revision + 1;
    const events = write.flatMap((one) => this.#carryOut(one, revision));
    if (events.length > 0) this.#commit(events);
    return { succeeded: true, revision: this.#revision };
  }

  grant(seconds: number): bigint {
    const id = this.#nextLease++;
    this.#leases.set(id, { seconds, expires: this.clock.now() + seconds * 1000 });
    return id;
  }

  renew(id: bigint): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw new SimulatedStoreError("LEASE_NOT_FOUND");
    lease.expires = this.clock.now() + lease.seconds * 1000;
  }

  revoke(id: bigint): void {
    if (!this.#leases.delete(id)) throw new SimulatedStoreError("LEASE_NOT_FOUND");
    const revision = this.#revision + 1;
    const hanging = this.#sorted().filter((value) => value.lease === id);
    const events = hanging.flatMap(({ key }) => this.#carryOut({ delete: key }, revision));
    if (events.length > 0) this.#commit(events);
  }

  async *follow(request: WatchRequest, door: SimulatedDoor, signal: AbortSignal): AsyncGenerator<WatchBatch> {
    let wake = Promise.withResolvers<void>();
    if (request.from < this.#oldest) throw new SimulatedStoreError("COMPACTED", this.#oldest);
    const follower: Follower = {
      request,
      door,
      next: request.from,
      isTold: request.askProgressMs === undefined,
      wake: () => wake.resolve(),
    };
    this.#followers.add(follower);
    signal.addEventListener("abort", follower.wake, { once: true });
    try {
      while (!signal.aborted) {
        const hears = door.state === "open" || door.state === "mute";
        const batch = this.#running && hears ? this.#batchFor(follower) : undefined;
        if (batch !== undefined) yield batch;
        else await wake.promise;
        wake = Promise.withResolvers<void>();
      }
    } finally {
      this.#followers.delete(follower);
    }
  }

  /** Forgets what was before this revision. */
  compact(revision: number): void {
    const gone = this.#history.findIndex((entry) => entry.revision > revision);
    const forgotten = this.#history.splice(0, gone < 0 ? this.#history.length : gone);
    for (const { events } of forgotten) for (const event of events) apply(this.#before, event);
    this.#oldest = Math.max(this.#oldest, revision);
  }

  wakeAll(): void {
    for (const follower of this.#followers) follower.wake();
  }

  #batchFor(follower: Follower): WatchBatch | undefined {
    const { key, end } = follower.request;
    const news = this.#history.filter(({ revision }) => revision >= follower.next);
    const events = news.flatMap((entry) => entry.events.filter((event) => isWithin(event.key, key, end)));
    follower.next = Math.max(follower.next, this.#revision + 1);
    if (events.length > 0) return { revision: this.#revision, events };
    if (follower.isTold) return undefined;
    follower.isTold = true;
    return { revision: this.#revision, events };
  }

  #commit(events: readonly StoreEvent[]): void {
    this.#revision += 1;
    this.writes += 1;
    this.#history.push({ revision: this.#revision, events });
    if (this.#history.length > mostRevisions) this.compact(this.#revision - mostRevisions / 2);
    for (const observer of this.#observers) observer(events);
    this.wakeAll();
  }

  #carryOut(write: StoreWrite, revision: number): StoreEvent[] {
    if ("put" in write) {
      const value = typeof write.value === "string" ? encoder.encode(write.value) : write.value;
      const createRevision = this.#values.get(write.put)?.createRevision ?? revision;
      const stored = {
        key: write.put,
        value,
        createRevision,
        modRevision: revision,
        lease: write.lease ?? 0n,
      };
      this.#values.set(write.put, stored);
      return [{ type: "put", ...stored }];
    }
    const gone = this.#sorted().filter(({ key }) => isWithin(key, write.delete, write.end));
    return gone.map(({ key }) => {
      this.#values.delete(key);
      return { type: "delete", key, value: new Uint8Array(), createRevision: 0, modRevision: revision };
    });
  }

  #holds({ key, target, is, revision }: Compare): boolean {
    const stored = this.#values.get(key);
    const actual = (target === "create" ? stored?.createRevision : stored?.modRevision) ?? 0;
    return (actual === revision) === (is === "=");
  }

  /** What was stored then, in the order of keys. */
  #past(revision: number): StoredValue[] {
    if (revision < this.#oldest) throw new SimulatedStoreError("COMPACTED", this.#oldest);
    const values = new Map(this.#before);
    for (const { revision: at, events } of this.#history) {
      if (at > revision) break;
      for (const event of events) apply(values, event);
    }
    return [...values.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #sorted(): StoredValue[] {
    return [...this.#values.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }
}

/** One machine's way to the store. */
export class SimulatedDoor implements StoreClient {
  readonly #store: SimulatedStore;
  #state: DoorState = "open";

  constructor(store: SimulatedStore) {
    this.#store = store;
  }

  get state(): DoorState {
    return this.#state;
  }

  set state(state: DoorState) {
    this.#state = state;
    this.#store.wakeAll();
  }

  range(request: RangeRequest, options: CallOptions = {}): Promise<RangeAnswer> {
    return this.#call(options, () => this.#store.range(request));
  }

  getAll(keys: readonly string[], options: CallOptions = {}): Promise<RangeAnswer> {
    return this.#call(options, () => {
      const values = keys.flatMap((key) => this.#store.range({ key }).values);
      return { revision: this.#store.revision, values, more: false };
    });
  }

  txn(txn: Txn, options: CallOptions = {}): Promise<TxnAnswer> {
    return this.#call(options, () => this.#store.txn(txn));
  }

  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchBatch> {
    return this.#store.follow(request, this, signal);
  }

  grantLease(seconds: number, options: CallOptions = {}): Promise<bigint> {
    return this.#call(options, () => this.#store.grant(seconds));
  }

  renewLease(lease: bigint, options: CallOptions = {}): Promise<void> {
    return this.#call(options, () => this.#store.renew(lease));
  }

  revokeLease(lease: bigint, options: CallOptions = {}): Promise<void> {
    return this.#call(options, () => this.#store.revoke(lease));
  }

  async #call<T>({ signal, timeoutMs = 3000 }: CallOptions, answer: () => T): Promise<T> {
    await Promise.resolve();
    signal?.throwIfAborted();
    if (this.#state === "cut" || this.#state === "mute" || this.#state === "deaf") {
      if (this.#state === "deaf" && this.#store.isRunning) {
        this.#store.expire();
        answer();
      }
      await this.#store.clock.sleep(timeoutMs, signal);
      throw new SimulatedStoreError("TIMEOUT");
    }
    if (this.#state === "refused" || !this.#store.isRunning) throw new SimulatedStoreError("REFUSED");
    this.#store.expire();
    return answer();
  }
}

function apply(values: Map<string, StoredValue>, { type, key, ...event }: StoreEvent): void {
  if (type === "delete") values.delete(key);
  else values.set(key, { key, ...event, lease: 0n });
}

function isWithin(key: string, first: string, end: string | undefined): boolean {
  return end === undefined ? key === first : key >= first && key < end;
}
