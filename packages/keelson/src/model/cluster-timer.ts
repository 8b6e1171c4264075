// Timers of the cluster: a timer whose unit the cluster has is fired by the leader, once for all machines. A global
// one, and one that MachineOf= puts beside its unit, is systemd's on its machine, as is one whose unit is not ours.
import { serviceNameOf } from "@keelson/systemd";
import type { PlacementRules } from "./placement/rules.ts";
import type { Unit } from "./unit.ts";
import { replicaName, templateName } from "./unit-name.ts";

/** What a timer may start: the suffixes of files that become a service. */
const suffixes = ["service", "container", "kube", "pod"] as const;

export interface TimerTarget {
  /** The instance that it starts. */
  readonly instance: string;
  /** The record that this comes from: its own, or its template's. */
  readonly unit: Unit;
}

/**
 * What this timer starts in the cluster; `undefined` when it is none of the cluster's.
 * @param name the timer's own: an instance's for a template
 */
export function clusterTimerTarget(
  name: string,
  { timer, global, machineOf }: Pick<PlacementRules, "timer" | "global" | "machineOf">,
  units: ReadonlyMap<string, Unit>,
): TimerTarget | undefined {
  if (timer === undefined || global) return undefined;
  const wanted = timer.unit ?? `${name.slice(0, -".timer".length)}.service`;
  const stem = wanted.slice(0, wanted.lastIndexOf("."));
  const stems = stem.endsWith("-pod") ? [stem, stem.slice(0, -"-pod".length)] : [stem];
  const candidates = stems.flatMap((one) => suffixes.map((suffix) => `${one}.${suffix}`));
  for (const instance of [wanted, ...candidates]) {
    const isMeant = instance === wanted || timer.unit === undefined || serviceNameOf(instance) === wanted;
    const unit = isMeant && isRunnable(instance) ? recordOf(instance, units) : undefined;
    if (unit !== undefined) return machineOf.includes(instance) ? undefined : { instance, unit };
  }
  return undefined;
}

const isRunnable = (name: string): boolean => suffixes.some((suffix) => name.endsWith(`.${suffix}`));

function recordOf(instance: string, units: ReadonlyMap<string, Unit>): Unit | undefined {
  const own = units.get(instance);
  if (own !== undefined) return own;
  const template = units.get(templateName(instance) ?? "");
  const number = Number(/@(\d{1,5})\./.exec(instance)?.[1] ?? 0);
  if (template === undefined || number < 1 || number > template.replicas) return undefined;
  return replicaName(template.name, number) === instance ? template : undefined;
}
