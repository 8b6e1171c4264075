/** A lease as the log knows it. When it runs out is the server's matter, since that is no fact but time. */
export interface Lease {
  readonly id: bigint;
  /** Seconds granted. */
  readonly ttl: number;
  readonly keys: ReadonlySet<string>;
}

const NO_KEYS: ReadonlySet<string> = new Set();

/** Has a set of its own only while there are keys: most leases of some stores have none. */
class GrantedLease implements Lease {
  readonly id: bigint;
  readonly ttl: number;
  #keys: Set<string> | undefined;

  constructor(id: bigint, ttl: number) {
    this.id = id;
    this.ttl = ttl;
  }

  get keys(): ReadonlySet<string> {
    return this.#keys ?? NO_KEYS;
  }

  attach(key: string): void {
    this.#keys ??= new Set();
    this.#keys.add(key);
  }

  detach(key: string): void {
    this.#keys?.delete(key);
    if (this.#keys?.size === 0) this.#keys = undefined;
  }
}

/** The leases and the keys that hang on them. */
export class LeaseTable {
  readonly #leases = new Map<bigint, GrantedLease>();

  get size(): number {
    return this.#leases.size;
  }

  get(id: bigint): Lease | undefined {
    return this.#leases.get(id);
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  values(): IterableIterator<Lease> {
    return this.#leases.values();
  }

  add(id: bigint, ttl: number): Lease {
    const lease = new GrantedLease(id, ttl);
    this.#leases.set(id, lease);
    return lease;
  }

  remove(id: bigint): void {
    this.#leases.delete(id);
  }

  attach(id: bigint, key: string): void {
    this.#leases.get(id)?.attach(key);
  }

  detach(id: bigint, key: string): void {
    this.#leases.get(id)?.detach(key);
  }
}
