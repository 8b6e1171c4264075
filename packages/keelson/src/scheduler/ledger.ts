// The writes of a pass, in an order of which every beginning is safe: what leaves goes before what comes.
import type { ScheduleEntry } from "../model/schedule.ts";
import type { Write, WriteGroup } from "./plan.ts";

/** A group of moves is one transaction: it has at most so many writes, and names fewer machines as absent. */
const writesPerGroup = 100;

type Put = Extract<Write, { entry: ScheduleEntry }>;
type Remove = Extract<Write, { remove: string }>;

export class Ledger {
  readonly #removes = new Map<string, Remove>();
  readonly #puts = new Map<string, Put>();
  readonly #moves = new Map<string, (readonly [Remove, Put])[]>();

  put(machine: string, entry: ScheduleEntry): void {
    const key = `${machine}/${entry.unit}`;
    this.#removes.delete(key);
    this.#puts.set(key, { machine, entry });
  }

  remove(machine: string, unit: string, because: string): void {
    const key = `${machine}/${unit}`;
    this.#puts.delete(key);
    this.#removes.set(key, { machine, remove: unit, because });
  }

  /** Takes an order from a machine that is gone and gives it to another. */
  move(from: string, to: Put, because: string): void {
    const pairs = this.#moves.get(from) ?? [];
    pairs.push([{ machine: from, remove: to.entry.unit, because }, to]);
    this.#moves.set(from, pairs);
  }

  /** Whether an order is given or left standing by this pass: `undefined` when it does not touch it. */
  touches(machine: string, unit: string): "put" | "remove" | undefined {
    const key = `${machine}/${unit}`;
    if (this.#puts.has(key)) return "put";
    return this.#removes.has(key) ? "remove" : undefined;
  }

  groups(): WriteGroup[] {
    const groups: WriteGroup[] = [];
    if (this.#removes.size > 0) groups.push({ writes: [...this.#removes.values()], absent: [] });
    const moves = [...this.#moves].flatMap(([machine, pairs]) => pairs.map((pair) => ({ machine, pair })));
    for (let first = 0; first < moves.length; first += writesPerGroup / 2) {
      const some = moves.slice(first, first + writesPerGroup / 2);
      const absent = [...new Set(some.map(({ machine }) => machine))];
      groups.push({ writes: some.flatMap(({ pair }) => pair), absent });
    }
    if (this.#puts.size > 0) groups.push({ writes: [...this.#puts.values()], absent: [] });
    return groups;
  }
}
