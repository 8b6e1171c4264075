// Who is to move: what stands on a machine that is being drained, what a move's record names (rebalancing, repeated
// failure), and what is to have another file and may exist twice for a moment. moves.ts says which of them go now.
import type { Standing } from "../incumbents.ts";
import type { Scene } from "../schedule.ts";

export interface Wish {
  readonly standing: Standing;
  /** In words, for the order at its end: "moved from m1: it is being drained". */
  readonly because: string;
  /** Machine id of the one that the plan named. */
  readonly to?: string;
  /** What becomes of it when no other machine takes it. A unit with a new file gets that where it is. */
  readonly orElse: "stay" | "renew";
  /** It is to have another file, and waits for it until it is handed over. */
  readonly isRenewal: boolean;
  /** The time is up: it stops now, whether or not it fits elsewhere. */
  readonly isOverdue?: boolean;
}

export interface Wishes {
  readonly wishes: readonly Wish[];
  /** Unix milliseconds of the next drain's deadline. */
  readonly nextDeadline: number | undefined;
}

export function wishesOf({ snapshot, facts }: Scene, standing: readonly Standing[]): Wishes {
  const wishes: Wish[] = [];
  let nextDeadline: number | undefined;
  const { machineSettings, moves, members } = snapshot;
  for (const one of standing) {
    const { site, unit, entry } = one;
    const { id, name } = site.machine;
    const drain = machineSettings.get(id)?.drain;
    const move = moves.get(unit.name);
    const isRenewal = isRenewedElsewhere(one);
    // As of nearly all, in nearly every pass.
    if (drain === undefined && move === undefined && !isRenewal) continue;
    const wish = { standing: one, isRenewal, orElse: "stay" } as const;
    if (drain !== undefined) {
      const isOverdue = drain.deadline !== undefined && drain.deadline <= facts.wallMs;
      if (drain.deadline !== undefined && !isOverdue) {
        nextDeadline = Math.min(nextDeadline ?? Infinity, drain.deadline);
      }
      wishes.push({ ...wish, because: `moved from ${name}: it is being drained`, isOverdue });
    } else if (move?.from === id && !unit.rules.global) {
      const to = move.to === undefined || !members.has(move.to) ? {} : { to: move.to };
      wishes.push({ ...wish, because: `moved from ${name}: ${move.because}`, ...to });
    } else if (isRenewal && entry.takesOver === undefined) {
      wishes.push({ ...wish, because: `started beside ${name} with its new file`, orElse: "renew" });
    }
  }
  return { wishes, nextDeadline };
}

/** Whether the unit runs here by another file than it is to have, and may be started elsewhere first. */
function isRenewedElsewhere({ unit, entry }: Standing): boolean {
  if (entry.hash === unit.hash || unit.rules.global) return false;
  const { maxSurge } = unit.rules.update;
  const surges = "count" in maxSurge ? maxSurge.count > 0 : maxSurge.percent > 0;
  if (!surges) return false;
  return entry.desired === "launched" && unit.instance.desired === "launched";
}
