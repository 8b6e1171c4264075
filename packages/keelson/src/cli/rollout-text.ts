// A rollout in a few words, for progress, lists and outcomes.
import type { ProgressView } from "../api/wire/operation.ts";

export type RolloutProgress = ProgressView["rollouts"][number];

/** `3 of 5 updated, batch of 1, waits for web@4.container`, or why it stands where it is. */
export function rolloutWords({
  state,
  updated,
  total,
  batch,
  waitsFor,
  reason,
}: Pick<RolloutProgress, "state" | "updated" | "total" | "batch" | "waitsFor" | "reason">): string {
  const because = reason === "" ? "" : `: ${reason}`;
  switch (state) {
    case "running":
      return [
        `${updated} of ${total} updated`,
        ...(batch === 0 ? [] : [`batch of ${batch}`]),
        ...(waitsFor === "" ? [] : [`waits for ${waitsFor}`]),
      ].join(", ");
    case "done":
      return `all ${total} updated`;
    case "reverting":
      return `goes back${because}`;
    case "reverted":
      return `went back${because}`;
    case "paused":
    case "aborted":
      return `${state} with ${updated} of ${total} updated${because}`;
  }
}
