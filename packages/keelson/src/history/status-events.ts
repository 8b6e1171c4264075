// What a machine's report says that its report before did not: steps on the way, and another state.
import type { UnitStatus } from "../model/schedule.ts";
import type { EventKind } from "./cluster-event.ts";

/** An event without its surroundings. */
export interface Draft {
  readonly kind: EventKind;
  /** Unix milliseconds; `undefined` when no record tells it. */
  readonly at: number | undefined;
  /** It happened no earlier, should nothing else tell the time. */
  readonly notBefore?: number;
  readonly text: string;
  readonly why?: string;
}

/** In the order in which they happen. */
export const stepWords = {
  received: "has its order",
  image: "image is there",
  written: "file written",
  started: "start begun",
  active: "active",
  healthy: "healthy",
} as const satisfies Partial<Record<EventKind, string>>;
export type StepName = keyof typeof stepWords;
export const stepNames = Object.keys(stepWords) as StepName[];

/** In the order of their times. */
export function statusEvents(before: UnitStatus | undefined, after: UnitStatus | undefined): Draft[] {
  if (after === undefined) return before === undefined ? [] : [{ kind: "gone", at: undefined, text: "gone" }];
  const drafts: Draft[] = [];
  for (const step of stepNames) {
    const at = after.steps[step];
    if (at !== undefined && at !== before?.steps[step])
      drafts.push({ kind: step, at, text: stepWords[step] });
  }
  drafts.push(...stateEvents(before, after));
  return drafts.sort((a, b) => (a.at ?? Infinity) - (b.at ?? Infinity));
}

/** States that no step stands for. */
function stateEvents(before: UnitStatus | undefined, after: UnitStatus): Draft[] {
  const { health, since, reason, ended, steps } = after;
  if (ended !== undefined && ended.at !== before?.ended?.at)
    return [{ kind: "ended", at: ended.at, text: `ended: ${ended.result}`, why: reason }];
  if (health === before?.health) return [];
  switch (health) {
    case "failed":
      return [{ kind: "failed", at: known(since), text: "failed", why: reason }];
    case "unhealthy":
      return [{ kind: "unhealthy", at: undefined, text: "unhealthy", why: reason }];
    case "stopped":
      return before === undefined && steps["active"] === undefined
        ? []
        : [{ kind: "stopped", at: known(since), text: "stopped", why: reason }];
    case "healthy":
      // The first time is a step; later ones are recoveries.
      return before?.health === "unhealthy" && steps["healthy"] === before.steps["healthy"]
        ? [{ kind: "healthy", at: undefined, text: "healthy again" }]
        : [];
    case "starting":
    case "unknown":
      return [];
  }
}

/** systemd tells no time of what has left its memory. */
const known = (ms: number): number | undefined => (ms > 0 ? ms : undefined);
