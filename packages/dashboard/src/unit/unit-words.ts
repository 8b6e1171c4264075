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

/** From its placing to each step, in the order in which they came: `image 1.2 s · started 1.4 s`. */
export function stepWords({ placed, steps }: Pick<Instance, "placed" | "steps">): string {
  if (placed === null) return "";
  return Object.entries(steps)
    .filter(([, at]) => at >= placed)
    .sort(([, a], [, b]) => a - b)
    .map(([name, at]) => `${name} ${milliseconds(at - placed)}`)
    .join(" · ");
}

const milliseconds = (ms: number): string =>
  ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
