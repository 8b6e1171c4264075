// All machines of one application, as columns: a machine is a row, and most of what is known of it a number. Rows
// stay dense, so that whoever applied the same entries has the same rows in the same order.
import { Interned, ownCopy } from "./interned.ts";
import { machineStates, stateNumber } from "./machine-state.ts";
import type { MachineState } from "./machine-state.ts";
import type { Failures } from "./quarantine.ts";

/** Bits of a row's marks. */
export const marks = {
  /** It proved who it is. */
  proven: 1,
  /** It holds a slot of its group. */
  live: 2,
  /** In the rollout that the row names, it is a success, … */
  ok: 4,
  /** … a failure, … */
  failed: 8,
  /** … or vanished with its grant. */
  lapsed: 16,
} as const;

const columns = {
  group: Uint32Array,
  version: Uint32Array,
  profile: Uint32Array,
  /** The version that it was last given. */
  target: Uint32Array,
  /** The number of the rollout in which it was given that. */
  rollout: Uint32Array,
  state: Uint8Array,
  /** Its place in `reasonCodes`, and 1: what it was told last. */
  reason: Uint8Array,
  marks: Uint8Array,
  /** Hashes of the boot it is in, and of that in which it was given its target. */
  boot: Uint32Array,
  grantBoot: Uint32Array,
  /** When it last spoke, when its state last changed, when it was given its target, until when it holds a slot. */
  seen: Float64Array,
  since: Float64Array,
  granted: Float64Array,
  until: Float64Array,
} as const;

type Columns = { -readonly [Name in keyof typeof columns]: InstanceType<(typeof columns)[Name]> };
export type ColumnName = keyof typeof columns;

const columnNames = Object.keys(columns) as ColumnName[];

function grown(from: Columns | undefined, rows: number): Columns {
  return Object.fromEntries(
    columnNames.map((name) => {
      const column = new columns[name](rows);
      if (from !== undefined) column.set(from[name]);
      return [name, column];
    }),
  ) as Columns;
}

export class Fleet {
  readonly application: string;
  readonly versions = new Interned();
  readonly profiles = new Interned();
  /** By machine; of those that failed something only. */
  readonly failures = new Map<string, Failures>();
  readonly #rows = new Map<string, number>();
  readonly #ids: string[] = [];
  readonly #names: string[] = [];
  #columns = grown(undefined, 256);

  constructor(application: string) {
    this.application = application;
  }

  get size(): number {
    return this.#ids.length;
  }

  /** The columns, until the next {@link add}. */
  get at(): Readonly<Columns> {
    return this.#columns;
  }

  row(machine: string): number | undefined {
    return this.#rows.get(machine);
  }

  id(row: number): string {
    return this.#ids[row] ?? "";
  }

  /** Alias and address, with a line break between them. */
  names(row: number): string {
    return this.#names[row] ?? "";
  }

  setNames(row: number, names: string): void {
    this.#names[row] = ownCopy(names);
  }

  version(row: number): string {
    return this.versions.text(this.at.version[row] ?? 0);
  }

  target(row: number): string {
    return this.versions.text(this.at.target[row] ?? 0);
  }

  profile(row: number): string {
    return this.profiles.text(this.at.profile[row] ?? 0);
  }

  state(row: number): MachineState {
    return machineStates[this.at.state[row] ?? 0] ?? "unknown";
  }

  has(row: number, mark: number): boolean {
    return ((this.at.marks[row] ?? 0) & mark) !== 0;
  }

  mark(row: number, set: number, clear = 0): void {
    const { marks: column } = this.at;
    column[row] = ((column[row] ?? 0) & ~clear) | set;
  }

  /** A row for a machine that is not known. */
  add(machine: string): number {
    const row = this.#ids.length;
    if (row >= this.at.state.length) this.#columns = grown(this.#columns, Math.ceil(row * 1.5));
    const own = ownCopy(machine);
    this.#ids.push(own);
    this.#names.push("");
    this.#rows.set(own, row);
    for (const name of columnNames) this.at[name][row] = 0;
    return row;
  }

  /** The last row takes the place of this one. Returns the row that moved there, if any did. */
  remove(row: number): number | undefined {
    const machine = this.id(row);
    this.versions.drop(this.at.version[row] ?? 0);
    this.versions.drop(this.at.target[row] ?? 0);
    this.profiles.drop(this.at.profile[row] ?? 0);
    this.failures.delete(machine);
    this.#rows.delete(machine);
    const last = this.#ids.length - 1;
    const moved = this.#ids.pop() ?? "";
    const names = this.#names.pop() ?? "";
    if (row === last) return undefined;
    this.#ids[row] = moved;
    this.#names[row] = names;
    this.#rows.set(moved, row);
    for (const name of columnNames) this.at[name][row] = this.at[name][last] ?? 0;
    return row;
  }

  /** A copy of now, of which lines can be made later. */
  freeze(): FrozenFleet {
    const { application } = this;
    const rows = this.#ids.length;
    const ids = this.#ids.slice();
    const names = this.#names.slice();
    const copy = grown(this.#columns, this.#columns.state.length);
    const versions = this.versions.texts();
    const profiles = this.profiles.texts();
    const failures = new Map([...this.failures].map(([machine, one]) => [machine, [...one]]));
    return {
      application,
      *lines(order) {
        for (let row = 0; row < rows; row++) {
          const numbers = order.map((name) => copy[name][row]);
          const id = ids[row] ?? "";
          const failed = failures.get(id);
          yield JSON.stringify([
            "m",
            id,
            versions[copy.version[row] ?? 0],
            versions[copy.target[row] ?? 0],
            profiles[copy.profile[row] ?? 0],
            names[row],
            numbers,
            ...(failed === undefined ? [] : [failed]),
          ]);
        }
      },
    };
  }

  setState(row: number, state: MachineState): void {
    this.at.state[row] = stateNumber[state];
  }
}

export interface FrozenFleet {
  readonly application: string;
  /** One for every machine, with these columns. */
  lines(columns: readonly ColumnName[]): Generator<string>;
}
