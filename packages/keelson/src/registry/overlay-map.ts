// An immutable map that is cheap to change: a large base that many versions share, and a small overlay.
// Changing k of n entries costs O(k + √n), and not O(n).

const removed = Symbol("removed");

export class OverlayMap<V> implements ReadonlyMap<string, V> {
  readonly #base: ReadonlyMap<string, V>;
  readonly #overlay: ReadonlyMap<string, V | typeof removed>;
  readonly size: number;

  private constructor(
    base: ReadonlyMap<string, V>,
    overlay: ReadonlyMap<string, V | typeof removed>,
    size: number,
  ) {
    this.#base = base;
    this.#overlay = overlay;
    this.size = size;
  }

  static empty<V>(): OverlayMap<V> {
    return OverlayMap.from(new Map<string, V>());
  }

  /** Takes the map as its own: it must not be changed afterwards. */
  static from<V>(entries: ReadonlyMap<string, V>): OverlayMap<V> {
    return new OverlayMap(entries, new Map(), entries.size);
  }

  /** A map with these entries set, and those with the value undefined removed. */
  with(changes: ReadonlyMap<string, V | undefined>): OverlayMap<V> {
    const overlay = new Map(this.#overlay);
    let size = this.size;
    for (const [key, value] of changes) {
      const had = this.has(key);
      if (value !== undefined) {
        overlay.set(key, value);
        if (!had) size += 1;
      } else if (had) {
        if (this.#base.has(key)) overlay.set(key, removed);
        else overlay.delete(key);
        size -= 1;
      }
    }
    const next = new OverlayMap(this.#base, overlay, size);
    const most = 32 + Math.sqrt(this.#base.size);
    return overlay.size > most ? OverlayMap.from(new Map(next.entries())) : next;
  }

  get(key: string): V | undefined {
    const value = this.#overlay.get(key);
    if (value === removed) return undefined;
    return value ?? this.#base.get(key);
  }

  has(key: string): boolean {
    const value = this.#overlay.get(key);
    return value === undefined ? this.#base.has(key) : value !== removed;
  }

  entries(): MapIterator<[string, V]> {
    return this.#overlay.size === 0 ? this.#base.entries() : this.#changedEntries();
  }

  *#changedEntries(): Generator<[string, V], undefined> {
    for (const [key, value] of this.#base) if (!this.#overlay.has(key)) yield [key, value];
    for (const [key, value] of this.#overlay) if (value !== removed) yield [key, value];
  }

  keys(): MapIterator<string> {
    return this.#overlay.size === 0 ? this.#base.keys() : this.#changedKeys();
  }

  *#changedKeys(): Generator<string, undefined> {
    for (const key of this.#base.keys()) if (!this.#overlay.has(key)) yield key;
    for (const [key, value] of this.#overlay) if (value !== removed) yield key;
  }

  values(): MapIterator<V> {
    return this.#overlay.size === 0 ? this.#base.values() : this.#changedValues();
  }

  *#changedValues(): Generator<V, undefined> {
    for (const [key, value] of this.#base) if (!this.#overlay.has(key)) yield value;
    for (const value of this.#overlay.values()) if (value !== removed) yield value;
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this);
  }
}
