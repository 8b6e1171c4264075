// What an instance has against machines: where it failed too often, and which one it is leaving. It lies in its
// orders (`avoids`) and in its move's record, which outlives the order while it is nowhere.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { ScheduleEntry } from "../../model/schedule.ts";

export interface Memory {
  /** For its next order. */
  readonly avoids: ScheduleEntry["avoids"];
  /** As `Placeable.shuns`. */
  readonly shuns: ReadonlyMap<string, string>;
}

const firstMs = 5 * 60_000;
const longestMs = 4 * 3_600_000;
/** So long after its time an entry counts for the back-off of the next one. */
const rememberedMs = 3_600_000;

/** By instance; those that have nothing against any machine are left out. */
export function memoriesOf({ schedule, moves }: ClusterSnapshot, wallMs: number): Map<string, Memory> {
  const avoids = new Map<string, Record<string, number>>();
  const note = (unit: string, more: ScheduleEntry["avoids"]): void => {
    if (more !== undefined) avoids.set(unit, { ...avoids.get(unit), ...more });
  };
  for (const entries of schedule.values())
    for (const entry of entries.values()) note(entry.unit, entry.avoids);
  for (const move of moves.values()) note(move.instance, move.avoids);
  const memories = new Map<string, Memory>();
  for (const unit of new Set([...avoids.keys(), ...moves.keys()])) {
    const known = Object.entries(avoids.get(unit) ?? {}).filter(([, until]) => until + rememberedMs > wallMs);
    const shuns = new Map<string, string>();
    for (const [machine, until] of known) {
      if (until > wallMs) shuns.set(machine, `is avoided until ${clockTime(until)} UTC: it failed there`);
    }
    const move = moves.get(unit);
    if (move !== undefined && !shuns.has(move.from)) shuns.set(move.from, `is being left: ${move.because}`);
    memories.set(unit, { avoids: known.length === 0 ? undefined : Object.fromEntries(known), shuns });
  }
  return memories;
}

/** The memory with one machine more, or for longer: each machine on which it failed lately doubles the time. */
export function avoiding(
  avoids: ScheduleEntry["avoids"],
  machine: string,
  wallMs: number,
): NonNullable<ScheduleEntry["avoids"]> {
  const times = Object.keys(avoids ?? {}).length;
  return { ...avoids, [machine]: wallMs + Math.min(longestMs, firstMs * 2 ** times) };
}

const clockTime = (ms: number): string => new Date(ms).toISOString().slice(11, 16);
