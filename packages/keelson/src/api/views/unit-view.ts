// One unit: what is wanted of it, how much of that is there, and its worst trouble.
import type { Job, TimerRecord } from "../../model/job.ts";
import type { Rollout } from "../../model/rollout.ts";
import type { Unit } from "../../model/unit.ts";
import type { InstanceState, InstanceView } from "../wire/instance.ts";
import type { UnitState, UnitView } from "../wire/unit.ts";
import { isAsDesired } from "./instance-view.ts";

/** The gravest first. */
const gravity: readonly InstanceState[] = [
  "failed",
  "unhealthy",
  "unknown",
  "stopped",
  "waiting",
  "placed",
  "starting",
  "running",
];

export interface UnitSources {
  /** How many instances there should be. */
  readonly wanted: number;
  readonly rollout: Rollout | undefined;
  readonly timer: TimerRecord | undefined;
  readonly job: Job | undefined;
}

/** `instances` are the unit's own, without companions. */
export function unitView(
  unit: Unit,
  instances: readonly InstanceView[],
  { wanted, rollout, timer, job }: UnitSources,
): UnitView {
  const ordered = instances.filter(({ desired }) => desired !== "inactive");
  const healthy = ordered.filter(isAsDesired).length;
  const worst = ordered
    .filter((instance) => !isAsDesired(instance))
    .sort((a, b) => gravity.indexOf(a.state) - gravity.indexOf(b.state))[0];
  const leaving = instances.length - ordered.length;
  return {
    name: unit.name,
    desired: unit.desired,
    state:
      ordered.length > 0 && ordered.every(({ state }) => state === "succeeded")
        ? "succeeded"
        : stateOf(unit, wanted, { healthy, worst: worst?.state }),
    reason: worst ? reasonOf(worst, unit) : leaving > 0 ? `${leaving} being removed` : "",
    hash: unit.hash,
    replicas: unit.replicas,
    wanted,
    healthy: Math.min(healthy, wanted),
    restarts: unit.restarts,
    generation: unit.generation,
    owner: unit.owner,
    created: unit.created,
    changed: unit.changed,
    rollout: rollout === undefined || rollout.state === "done" ? null : rolloutOf(rollout),
    timer: timer === undefined ? null : timerOf(timer),
    run: runOf(job),
  };
}

function rolloutOf({ state, updated, reason, changed }: Rollout): NonNullable<UnitView["rollout"]> {
  return { state, updated: updated.length, reason, changed };
}

function timerOf({ next, last, outcome, reason }: TimerRecord): NonNullable<UnitView["timer"]> {
  return { next, last, outcome, reason };
}

function runOf(job: Job | undefined): UnitView["run"] {
  const last = job?.runs.at(-1);
  if (last === undefined) return null;
  const { number, state, ended, notBefore, reason } = last;
  return { number, state, ended, notBefore, reason };
}

function stateOf(
  unit: Unit,
  wanted: number,
  { healthy, worst }: { readonly healthy: number; readonly worst: InstanceState | undefined },
): UnitState {
  if (wanted === 0) return "inactive";
  if (worst === undefined)
    return healthy < wanted ? "starting" : unit.desired === "loaded" ? "loaded" : "healthy";
  switch (worst) {
    case "failed":
      return healthy > 0 ? "degraded" : "failed";
    case "unhealthy":
    case "unknown":
    case "stopped":
      return "degraded";
    case "waiting":
      return healthy > 0 ? "degraded" : "waiting";
    case "placed":
    case "starting":
    case "healthy":
    case "loaded":
    case "succeeded":
      return "starting";
    case "running":
      return "running";
  }
}

/** `web@2.container on m3: exit code 1`; of a unit with one instance only what it does not say itself. */
function reasonOf(instance: InstanceView, unit: Unit): string {
  const { name, machineName, state } = instance;
  const reason = instance.reason === "" ? state : instance.reason;
  const place = machineName === null || reason.includes(machineName) ? "" : `on ${machineName}`;
  const who = [name === unit.name ? "" : name, place].filter((part) => part !== "").join(" ");
  return who === "" ? reason : `${who}: ${reason}`;
}
