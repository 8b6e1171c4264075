// Turns to restart: of each group at most so many machines at a time. A fold over entries like the ledger, and as
// pure: the time comes with the call, and whoever applies the same entries has the same holders.
import type { Fold } from "./log/fold.ts";

export interface RebootGroup {
  /** Machines that may restart at a time. */
  readonly slots: number;
  /**
   * Seconds after which a holder that said nothing more loses its turn; 0 for never. A machine that is lost in its
   * restart is then no longer counted as being away, so that it should be longer than any restart.
   */
  readonly expirySeconds: number;
}

/** A machine whose turn it is. */
export interface RebootHolder {
  readonly id: string;
  /** Unix milliseconds: since when, and when it last asked. */
  readonly sinceMs: number;
  readonly askedMs: number;
}

export type RebootAnswer =
  | { readonly granted: true; readonly entries: readonly string[] }
  | {
      readonly granted: false;
      readonly entries: readonly string[];
      /** Who has the slots, the longest first. */
      readonly holders: readonly RebootHolder[];
    };

/** `["l", group, id, milliseconds]`: it has a turn; `["u", …]`: it is over; `["x", …]`: it ran out. */
type Entry = readonly ["l" | "u" | "x", group: string, id: string, nowMs: number];

export class RebootLock implements Fold {
  readonly kind = 2;
  readonly #groups = new Map<string, Map<string, RebootHolder>>();

  /** Gives a machine a turn, if there is one or it has one already. */
  lock(
    group: string,
    id: string,
    { slots, expirySeconds, nowMs }: RebootGroup & { readonly nowMs: number },
  ): RebootAnswer {
    const entries: Entry[] = [];
    if (expirySeconds > 0)
      for (const holder of this.holders(group))
        if (holder.id !== id && holder.askedMs + expirySeconds * 1000 <= nowMs)
          entries.push(["x", group, holder.id, nowMs]);
    for (const entry of entries) this.#take(entry);
    const holders = this.holders(group);
    const granted = holders.some((holder) => holder.id === id) || holders.length < slots;
    if (granted) {
      const entry: Entry = ["l", group, id, nowMs];
      this.#take(entry);
      entries.push(entry);
    }
    const lines = entries.map((entry) => JSON.stringify(entry));
    return granted ? { granted, entries: lines } : { granted, entries: lines, holders };
  }

  /** Ends a machine's turn, if it has one; also what a person does for a machine that is gone. */
  unlock(group: string, id: string, nowMs: number): readonly string[] {
    if (this.#groups.get(group)?.has(id) !== true) return [];
    const entry: Entry = ["u", group, id, nowMs];
    this.#take(entry);
    return [JSON.stringify(entry)];
  }

  /** Whose turn it is in a group, the longest first. */
  holders(group: string): readonly RebootHolder[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }

  /** Groups with holders. */
  get groups(): readonly string[] {
    return [...this.#groups.keys()];
  }

  restore(part: string): void {
    for (const [group, holder] of JSON.parse(part) as [string, RebootHolder][]) this.#hold(group, holder);
  }

  apply(entry: string): void {
    this.#take(JSON.parse(entry) as Entry);
  }

  snapshot(): Iterable<string> {
    const all = [...this.#groups].flatMap(([group, holders]) =>
      [...holders.values()].map((holder) => [group, holder] as const),
    );
    return all.length === 0 ? [] : [JSON.stringify(all)];
  }

  #hold(group: string, holder: RebootHolder): void {
    const holders = this.#groups.get(group) ?? new Map<string, RebootHolder>();
    this.#groups.set(group, holders.set(holder.id, holder));
  }

  #take([kind, group, id, nowMs]: Entry): void {
    const holders = this.#groups.get(group);
    if (kind === "l")
      return this.#hold(group, { id, sinceMs: holders?.get(id)?.sinceMs ?? nowMs, askedMs: nowMs });
    holders?.delete(id);
    if (holders?.size === 0) this.#groups.delete(group);
  }
}
