// The writes of a pass, in an order of which every beginning is safe: what leaves goes before what comes.
import type { ScheduleEntry } from "../model/schedule.ts";
import type { Write, WriteGroup } from "./plan.ts";

/** Comparisons in one transaction are few: so many machines may be named as absent in one group. */
const machinesPerGroup = 50;

type Put = Extract<Write, { entry: ScheduleEntry }>;
type Remove = Extract<Write, { remove: string }>;

export class Ledger {
  readonly #removes = new Map<string, Remove>();
  readonly #puts = new Map<string, Put>();
  readonly #moves = new Map<string, Write[]>();

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
    const writes = this.#moves.get(from) ?? [];
    writes.push({ machine: from, remove: to.entry.unit, because }, to);
    this.#moves.set(from, writes);
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
    const moves = [...this.#moves];
    for (let first = 0; first < moves.length; first += machinesPerGroup) {
      const some = moves.slice(first, first + machinesPerGroup);
      groups.push({ writes: some.flatMap(([, writes]) => writes), absent: some.map(([machine]) => machine) });
    }
    if (this.#puts.size > 0) groups.push({ writes: [...this.#puts.values()], absent: [] });
    return groups;
  }
}
