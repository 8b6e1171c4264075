// The keyspace as simply as it can be said: the whole map of keys, copied at each revision.

export interface ModelKey {
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
}

export class Model {
  readonly #states: ReadonlyMap<string, ModelKey>[] = [new Map(), new Map()];

  get revision(): number {
    return this.#states.length - 1;
  }

  at(revision: number): ReadonlyMap<string, ModelKey> {
    return this.#states[revision] as ReadonlyMap<string, ModelKey>;
  }

  put(key: string, value: string): void {
    const before = this.at(this.revision).get(key);
    const mod = this.revision + 1;
    const state = new Map(this.at(this.revision));
    state.set(key, { value, create: before?.create ?? mod, mod, version: (before?.version ?? 0) + 1 });
    this.#states.push(state);
  }

  delete(start: string, end: string | undefined): void {
    const kept = [...this.at(this.revision)].filter(([key]) => !isWithin(key, start, end));
    if (kept.length < this.at(this.revision).size) this.#states.push(new Map(kept));
  }

  /** Keys in the range, in order. */
  range(start: string, end: string | undefined, revision: number): readonly (readonly [string, ModelKey])[] {
    return [...this.at(revision)]
      .filter(([key]) => isWithin(key, start, end))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

function isWithin(key: string, start: string, end: string | undefined): boolean {
  return key >= start && (end === undefined || key < end);
}
