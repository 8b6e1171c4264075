// A handover: a unit that may exist twice for a moment (MaxSurge=) is started on its new machine before it stops on
// the old one. The order of the new machine names the old one (`takesOver`); while the old one has an order or runs
// the unit, that stands there, and it is the only case in which two machines may have one unit.
// It ends with the old order withdrawn (the new one is healthy), or with the new one withdrawn (it failed, its time
// is over, its machine is gone). Whoever wants one begins it with `beginMove`; the pass does the rest.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { PlacementRules } from "../../model/placement/rules.ts";
import type { ScheduleEntry, UnitStatus } from "../../model/schedule.ts";

export interface Handover {
  /** Machine ids. */
  readonly from: string;
  readonly to: string;
  /** The new machine's order. */
  readonly entry: ScheduleEntry;
}

/** By unit, the handovers under way: both orders stand. */
export function handoversIn({ schedule }: ClusterSnapshot): Map<string, Handover> {
  const found = new Map<string, Handover>();
  for (const [to, entries] of schedule) {
    for (const entry of entries.values()) {
      const { takesOver: from, unit } = entry;
      if (from === undefined || from === to || found.has(unit)) continue;
      const old = schedule.get(from)?.get(unit);
      if (old !== undefined && !old.companion && old.takesOver === undefined)
        found.set(unit, { from, to, entry });
    }
  }
  return found;
}

export type Verdict =
  | { readonly is: "ready" }
  | { readonly is: "failed"; readonly why: string }
  /** Unix milliseconds. */
  | { readonly is: "waiting"; readonly until: number };

/** How far the new machine is. A status counts only when it is of the very file and restart that were ordered. */
export function verdictOn(
  { entry, to }: Handover,
  { update }: PlacementRules,
  { statuses, wallMs }: { readonly statuses: ClusterSnapshot["statuses"]; readonly wallMs: number },
): Verdict {
  const status = statuses.get(to)?.get(entry.unit);
  const until = entry.placed + update.timeoutMs;
  if (status?.hash === entry.hash && status.restarts >= entry.restarts) {
    const steadyAt = steadyFrom(status, wallMs);
    if (isReady(status) && steadyAt <= wallMs) return { is: "ready" };
    if (isReady(status)) return { is: "waiting", until: steadyAt };
    if (hasFailed(status)) return { is: "failed", why: `it failed: ${status.reason || status.sub}` };
  }
  if (wallMs < until) return { is: "waiting", until };
  return { is: "failed", why: `it was not healthy within ${Math.round(update.timeoutMs / 1000)} s` };
}

/** What has just started may end at once: systemd counts it as active meanwhile. */
const steadyMs = 1000;

/** A machine whose clock is ahead is taken at its word. */
const steadyFrom = ({ since }: UnitStatus, wallMs: number): number =>
  since > wallMs ? wallMs : since + steadyMs;

/** It runs as ordered, and well as far as is known; or has run to its end and ended well. */
export const isReady = ({ active, health, steps }: UnitStatus): boolean =>
  active === "active"
    ? health === "healthy" || health === "unknown"
    : active === "inactive" && steps["active"] !== undefined;

const hasFailed = ({ active, health, load }: UnitStatus): boolean =>
  active === "failed" || health === "failed" || load === "bad-setting" || load === "error";
