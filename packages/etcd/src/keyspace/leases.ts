/** A lease as the log knows it. When it runs out is the server's matter, since that is no fact but time. */
export interface Lease {
  readonly id: bigint;
  /** Seconds granted. */
  readonly ttl: number;
  readonly keys: Set<string>;
}

/** The leases and the keys that hang on them. */
export class LeaseTable {
  readonly #leases = new Map<bigint, Lease>();

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
    const lease: Lease = { id, ttl, keys: new Set() };
    this.#leases.set(id, lease);
    return lease;
  }

  remove(id: bigint): void {
    this.#leases.delete(id);
  }

  attach(id: bigint, key: string): void {
    this.#leases.get(id)?.keys.add(key);
  }

  detach(id: bigint, key: string): void {
    this.#leases.get(id)?.keys.delete(key);
  }
}
