// Slots and periods: how many machines of a group update at the same time, and how many begin within a while.
import type { UpdatePolicy } from "../model/update-service.ts";
import { marks } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import type { GroupState } from "./group-state.ts";

export type Admission =
  | { readonly free: true }
  | { readonly free: false; readonly by: "slots"; readonly taken: number; readonly of: number }
  | {
      readonly free: false;
      readonly by: "period";
      readonly count: number;
      readonly seconds: number;
      /** Ledger milliseconds. */
      readonly nextAt: number;
    };

/**
 * Whether one more machine may begin.
 * @param holds whether it has a slot already, for another version
 */
export function admit(
  { atOnce, perPeriod }: Pick<UpdatePolicy, "atOnce" | "perPeriod">,
  state: GroupState | undefined,
  { now, holds }: { readonly now: number; readonly holds: boolean },
): Admission {
  if (state === undefined) return { free: true };
  if (atOnce !== null && state.taken - (holds ? 1 : 0) >= atOnce)
    return { free: false, by: "slots", taken: state.taken, of: atOnce };
  if (perPeriod !== null) {
    const { count, seconds } = perPeriod;
    // A period is open at its beginning: what is exactly so long ago does not count any more.
    const earliest = state.grants.latest(count);
    if (earliest !== undefined && earliest > now - seconds * 1000)
      return { free: false, by: "period", count, seconds, nextAt: earliest + seconds * 1000 };
  }
  return { free: true };
}

/** Rows whose grants ran out, the first first; at most so many, so that no single check pays for all. */
export function* lapsedRows(
  state: GroupState,
  fleet: Fleet,
  { now, most }: { readonly now: number; readonly most: number },
): Generator<number> {
  for (let count = 0; count < most;) {
    const first = firstLease(state, fleet);
    if (first === undefined || first.until > now) return;
    state.leases.pop();
    count += 1;
    yield first.row;
  }
}

/** The grant that ends first; what is outdated is thrown away. */
export function firstLease(state: GroupState, fleet: Fleet) {
  for (;;) {
    const first = state.leases.first();
    if (first === undefined || isHeld(first, { state, fleet })) return first;
    state.leases.pop();
  }
}

function isHeld(
  { until, row }: { readonly until: number; readonly row: number },
  { state, fleet }: { readonly state: GroupState; readonly fleet: Fleet },
): boolean {
  const { at } = fleet;
  return (
    row < fleet.size &&
    at.until[row] === until &&
    at.group[row] === state.number &&
    fleet.has(row, marks.live)
  );
}

/** About when a slot will be free: as long after the first grant as updates usually take, but not after its end. */
export function nextSlot(state: GroupState, fleet: Fleet, now: number): number | undefined {
  const first = firstLease(state, fleet);
  if (first === undefined) return undefined;
  if (state.usualMs === 0) return first.until;
  const granted = fleet.at.granted[first.row] ?? now;
  return Math.min(first.until, Math.max(now, granted + state.usualMs));
}
