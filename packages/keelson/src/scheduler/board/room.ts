// Memory and processors: what a unit asks for, and what a machine has for units. In whole bytes and thousandths of
// a processor, so that sums are exact in whatever order they are made.
import type { Machine } from "../../model/machine.ts";
import type { ClusterSettings } from "../../model/machine-settings.ts";
import type { ResourceRules } from "../../model/placement/rules.ts";

/** What a unit, or several together, ask for wherever they go. */
export type Demand = Pick<ResourceRules, "memoryBytes" | "memoryShare" | "cpus">;

export const noDemand: Demand = { memoryBytes: 0, memoryShare: 0, cpus: 0 };

export interface Amounts {
  readonly memoryBytes: number;
  readonly milliCpus: number;
}

export const nothing: Amounts = { memoryBytes: 0, milliCpus: 0 };

/** What the unit asks for on this machine: a share of memory is a share of the machine's own. */
export function needOf(
  { memoryBytes, memoryShare, cpus }: Demand,
  { capacity }: Pick<Machine, "capacity">,
): Amounts {
  if (memoryBytes === 0 && memoryShare === 0 && cpus === 0) return nothing;
  return {
    memoryBytes: memoryBytes + Math.ceil(memoryShare * capacity.memoryBytes),
    milliCpus: Math.ceil(cpus * 1000),
  };
}

/** What requests may take of the machine in all: what it has for units, as many times as overcommit says. */
export function roomOf(
  { capacity, allocatable }: Pick<Machine, "capacity" | "allocatable">,
  { memory, cpu }: ClusterSettings["overcommit"],
): Amounts {
  const { memoryBytes, cpus } = allocatable ?? capacity;
  return { memoryBytes: Math.floor(memoryBytes * memory), milliCpus: Math.floor(cpus * 1000 * cpu) };
}

export const plus = (one: Amounts, other: Amounts): Amounts =>
  other === nothing
    ? one
    : {
        memoryBytes: one.memoryBytes + other.memoryBytes,
        milliCpus: one.milliCpus + other.milliCpus,
      };

export const minus = (one: Amounts, other: Amounts): Amounts =>
  other === nothing
    ? one
    : {
        memoryBytes: one.memoryBytes - other.memoryBytes,
        milliCpus: one.milliCpus - other.milliCpus,
      };

/** What requests may still take. Below zero where they took more than there is. */
export const freeOn = ({ room, taken }: { readonly room: Amounts; readonly taken: Amounts }): Amounts =>
  minus(room, taken);

export const together = (demands: readonly Demand[]): Demand =>
  demands.length === 1 ? (demands[0] ?? noDemand) : demands.reduce(sum, noDemand);

const sum = (one: Demand, other: Demand): Demand => ({
  memoryBytes: one.memoryBytes + other.memoryBytes,
  memoryShare: one.memoryShare + other.memoryShare,
  cpus: one.cpus + other.cpus,
});

/** Of each the larger one. */
export const largest = (one: Demand, other: Demand): Demand => ({
  memoryBytes: Math.max(one.memoryBytes, other.memoryBytes),
  memoryShare: Math.max(one.memoryShare, other.memoryShare),
  cpus: Math.max(one.cpus, other.cpus),
});

/** Whether who has no room for `other` has none for `one` either. */
export const isAtLeast = (one: Demand, other: Demand): boolean =>
  one.memoryBytes >= other.memoryBytes && one.memoryShare >= other.memoryShare && one.cpus >= other.cpus;

/** What is asked for fits into what is free. What is not asked for is not looked at. */
export const fitsInto = (need: Amounts, free: Amounts): boolean =>
  (need.memoryBytes === 0 || need.memoryBytes <= free.memoryBytes) &&
  (need.milliCpus === 0 || need.milliCpus <= free.milliCpus);

export const asksForNothing = ({ memoryBytes, milliCpus }: Amounts): boolean =>
  memoryBytes === 0 && milliCpus === 0;

/** The smaller of the shares that are free of what is asked for, 0 to 1; 0 for a unit that asks for nothing. */
export function shareLeft(need: Amounts, free: Amounts, room: Amounts): number {
  const memory = need.memoryBytes === 0 ? Infinity : free.memoryBytes / room.memoryBytes;
  const cpus = need.milliCpus === 0 ? Infinity : free.milliCpus / room.milliCpus;
  const least = Math.min(memory, cpus);
  return Number.isFinite(least) ? Math.max(0, least) : 0;
}

/** How much of what is short an amount makes up for: 0 to 2, one for each of memory and processors. */
export function shareOf(amount: Amounts, short: Amounts): number {
  const memory = short.memoryBytes === 0 ? 0 : Math.min(1, amount.memoryBytes / short.memoryBytes);
  const cpus = short.milliCpus === 0 ? 0 : Math.min(1, amount.milliCpus / short.milliCpus);
  return memory + cpus;
}

/** "has 412 MiB of 2.0 GiB free, it needs 1.0 GiB": every resource that is short. */
export function shortage(need: Amounts, free: Amounts, room: Amounts): string {
  const words: string[] = [];
  if (need.memoryBytes > 0 && need.memoryBytes > free.memoryBytes) {
    const [has, of] = [free, room].map(({ memoryBytes }) => memoryInWords(memoryBytes));
    words.push(`has ${has} of ${of} free, it needs ${memoryInWords(need.memoryBytes, Math.ceil)}`);
  }
  if (need.milliCpus > 0 && need.milliCpus > free.milliCpus) {
    const [has, of, wants] = [free.milliCpus, room.milliCpus, need.milliCpus].map(cpusInWords);
    words.push(`has ${has} of ${of} processors free, it needs ${wants}`);
  }
  return words.join(", and ");
}

/** "412 MiB", "2.0 GiB". A machine that gave away more than it has is said to have 0 B. */
export function memoryInWords(bytes: number, round: (value: number) => number = Math.floor): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const figure = unit <= 2 || value >= 100 ? String(round(value)) : (round(value * 10) / 10).toFixed(1);
  return `${figure} ${units[unit]}`;
}

/** "2", "0.5", "1.25". */
export const cpusInWords = (milliCpus: number): string => String(Math.max(0, milliCpus) / 1000);
