// States of units and instances in words and tones.
import type { Instance, InstanceState, Unit, UnitState } from "../api/records.ts";
import type { Tone } from "../element/state-mark.tsx";

interface Look {
  readonly tone: Tone;
  readonly word: string;
}

export function unitLook({ state, wanted }: Pick<Unit, "state" | "wanted">): Look {
  const looks: Readonly<Record<UnitState, Look>> = {
    healthy: { tone: "good", word: "healthy" },
    loaded: { tone: "mute", word: "loaded, not started" },
    inactive: { tone: "mute", word: "not started" },
    starting: { tone: "busy", word: "starting" },
    waiting: { tone: "warn", word: "waiting for a machine" },
    degraded: { tone: "warn", word: wanted > 1 ? "in part" : "in trouble" },
    failed: { tone: "bad", word: "failed" },
    running: { tone: "busy", word: "runs to its end" },
    succeeded: { tone: "good", word: "succeeded" },
  };
  return looks[state];
}

export function instanceLook(state: InstanceState): Look {
  const looks: Readonly<Record<InstanceState, Look>> = {
    waiting: { tone: "warn", word: "waiting for a machine" },
    placed: { tone: "busy", word: "on its way" },
    starting: { tone: "busy", word: "starting" },
    healthy: { tone: "good", word: "healthy" },
    unhealthy: { tone: "warn", word: "unhealthy" },
    failed: { tone: "bad", word: "failed" },
    stopped: { tone: "mute", word: "stopped" },
    loaded: { tone: "mute", word: "loaded" },
    running: { tone: "busy", word: "runs to its end" },
    succeeded: { tone: "good", word: "succeeded" },
    unknown: { tone: "warn", word: "not known" },
  };
  return looks[state];
}

/** Whether there is nothing more to be done for the unit. */
export function isAsDesired({ state }: Pick<Unit, "state">): boolean {
  return ["healthy", "loaded", "inactive", "succeeded"].includes(state);
}

/**
 * What goes on with the unit over a longer time, in a line: its rollout, its next time, its last run. Empty for most.
 * @param now the daemon's time
 */
export function courseWords(
  { rollout, timer, run, wanted }: Pick<Unit, "rollout" | "timer" | "run" | "wanted">,
  now: number,
): string {
  const parts: string[] = [];
  if (rollout !== null) {
    const words: Readonly<Record<string, string>> = {
      running: "rolling out",
      paused: "rollout paused",
      reverting: "going back to the version before",
      reverted: "went back to the version before",
      aborted: "rollout stopped",
    };
    const total = Math.max(wanted, rollout.updated);
    const count = rollout.state.startsWith("revert") ? "" : `, ${rollout.updated} of ${total} updated`;
    parts.push(`${words[rollout.state] ?? rollout.state}${count}${because(rollout.reason)}`);
  }
  if (timer !== null) {
    const last = timer.last === 0 ? "" : `, last ${span(now - timer.last)} ago: ${timer.outcome}`;
    const next = timer.next === 0 ? "does not fire" : `next in ${span(timer.next - now)}`;
    parts.push(`${next}${because(timer.reason)}${last}`);
  }
  if (run !== null) {
    const ended = run.ended === 0 ? "" : ` ${span(now - run.ended)} ago`;
    parts.push(`run ${run.number} ${run.state}${ended}${because(run.reason)}`);
  }
  return parts.join("; ");
}

const because = (reason: string): string => (reason === "" ? "" : `: ${reason}`);

function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** From its placing to each step, in the order in which they came: `image 1.2 s · started 1.4 s`. */
export function stepWords({ placed, steps }: Pick<Instance, "placed" | "steps">): string {
  if (placed === null) return "";
  return Object.entries(steps)
    .filter(([, at]) => at >= placed)
    .sort(([, a], [, b]) => a - b)
    .map(([name, at]) => `${name} ${milliseconds(at - placed)}`)
    .join(" · ");
}

export const milliseconds = (ms: number): string =>
  ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
