// The way of the machines' system to another version, as it is seen in the record of the update.
import type { SystemUpdate, UpdateStepName } from "../model/system-update.ts";
import type { Draft } from "./status-events.ts";

/** What is said of a machine that comes to a step; nothing of those that it only waits in. */
const words: Readonly<Partial<Record<UpdateStepName, (to: string) => string>>> = {
  staging: (to) => `writes the system ${to}`,
  staged: (to) => `has written the system ${to}`,
  restarting: (to) => `restarts into the system ${to}`,
  done: (to) => `runs the system ${to}`,
  failed: (to) => `could not take the system ${to}`,
};

export interface SystemDraft {
  readonly draft: Draft;
  /** Machine id; empty for the update as a whole. */
  readonly machine: string;
}

export function systemEvents(
  before: SystemUpdate | undefined,
  after: SystemUpdate | undefined,
): readonly SystemDraft[] {
  if (after === undefined) return [];
  const former = before?.id === after.id ? before : undefined;
  const to = after.to === "previous" ? "before" : after.to;
  const steps = after.machines.flatMap((machine): SystemDraft[] => {
    const step = after.steps[machine];
    if (step === undefined || step.name === former?.steps[machine]?.name) return [];
    const text = words[step.name]?.(to);
    if (text === undefined) return [];
    return [{ draft: { kind: "machine", at: step.since, text, why: step.reason }, machine }];
  });
  if (former?.state === after.state || (former === undefined && after.state === "running")) return steps;
  const text = `the update of the system (${after.to}) is ${after.state}`;
  return [...steps, { draft: { kind: "rollout", at: after.changed, text, why: after.reason }, machine: "" }];
}
