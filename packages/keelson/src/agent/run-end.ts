// How an attempt of a unit that runs to its end came out: from the start job's outcome, systemd's state and what
// systemd wrote down. Pure.
import type { JobOutcome, RunEnd, RunNote, StartEnding, UnitState } from "../host/host.ts";

export interface EndEvidence {
  /** Of the start job; `undefined` when nobody was listening when it ended. */
  readonly outcome: JobOutcome | undefined;
  readonly state: UnitState;
  readonly ending: StartEnding | undefined;
  /** The last line that a failed unit wrote. */
  readonly lastLine: string;
  /** What it needs and what failed, in words. */
  readonly needs: string | undefined;
  /** Unix milliseconds. */
  readonly at: number;
}

/** Success is what systemd called done; what nobody knows the end of has failed. */
export function endOf({ outcome, state, ending, lastLine, needs, at }: EndEvidence): RunEnd {
  const when = ending?.at ?? at;
  if (outcome?.done === true || (outcome === undefined && ending?.succeeded === true && !hasFailed(state)))
    return { at: when, result: "succeeded", reason: "" };
  const told = hasFailed(state) ? state.reason : "";
  const unknown = ending === undefined ? "it is not known how it ended" : "it was stopped on its machine";
  const reason = needs ?? (told || (outcome?.done === false ? stoppedWords(outcome.reason) : unknown));
  const status = hasFailed(state) ? state.status : undefined;
  return {
    at: when,
    result: "failed",
    ...(status !== undefined && { status }),
    reason: lastLine === "" ? reason : `${reason}: ${lastLine}`,
  };
}

/** Why a unit was stopped when its machine was out of contact for too long. */
export const lostStoreWords = "stopped: this machine lost the store, and others take over";

/** The note of an attempt that the machine itself ended because it lost the store. */
export function cutShort(run: RunNote | undefined, at: number): { readonly run?: RunNote } {
  if (run === undefined || run.ended !== undefined) return {};
  return { run: { ...run, ended: givenUp(at) } };
}

/**
 * The end of an attempt, knowing when the fence last acted, in Unix milliseconds: what ran then and came to no good end
 * was stopped by it.
 */
export function endUnderFence(end: RunEnd, begun: number, fencedAt: number | undefined): RunEnd {
  const wasFenced = fencedAt !== undefined && begun < fencedAt && end.at >= fencedAt;
  return end.result === "failed" && wasFenced ? givenUp(end.at) : end;
}

const givenUp = (at: number): RunEnd => ({ at, result: "failed", reason: lostStoreWords, givenUp: true });

const hasFailed = ({ active }: UnitState): boolean => active === "failed";

/** systemd cancels a start job when somebody stops the unit. */
const stoppedWords = (reason: string): string =>
  reason === "another job took its place" ? "it was stopped on its machine" : reason;
