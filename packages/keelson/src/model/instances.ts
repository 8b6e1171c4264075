// What should exist: the units themselves, and the replicas of templates, which have no record of their own.
import type { DesiredState, Unit } from "./unit.ts";
import { isTemplate, replicaName, templateName } from "./unit-name.ts";

export interface Instance {
  readonly name: string;
  /** The record that it comes from: its own, or its template's. */
  readonly unit: Unit;
  readonly desired: DesiredState;
  /** Explicit restarts, those of this instance alone included. */
  readonly restarts: number;
}

/** The instances of one unit. A replica that also has a record of its own belongs to that record. */
export function instancesOf(unit: Unit, units: ReadonlyMap<string, Unit>): Instance[] {
  if (!isTemplate(unit.name)) {
    return [{ name: unit.name, unit, desired: unit.desired, restarts: unit.restarts }];
  }
  const replicas: Instance[] = [];
  for (let number = 1; number <= unit.replicas; number++) {
    const name = replicaName(unit.name, number);
    if (units.has(name)) continue;
    replicas.push({ name, unit, desired: unit.desired, restarts: restartsOf(unit, name) });
  }
  return replicas;
}

/** The instance of that name, wanted or not: a unit of its own, or a replica. */
export function instanceNamed(name: string, units: ReadonlyMap<string, Unit>): Instance | undefined {
  const template = templateName(name);
  const unit = units.get(name) ?? (template === undefined ? undefined : units.get(template));
  return unit && instancesOf(unit, units).find((instance) => instance.name === name);
}

/** How often the instance of this unit was restarted on request. */
export const restartsOf = ({ restarts, replicaRestarts }: Unit, instance: string): number =>
  restarts + (replicaRestarts?.[instance] ?? 0);

/** All instances by name, those included that are wanted nowhere (`inactive`). */
export function allInstances(units: ReadonlyMap<string, Unit>): Map<string, Instance> {
  const all = new Map<string, Instance>();
  for (const unit of units.values()) {
    for (const instance of instancesOf(unit, units)) all.set(instance.name, instance);
  }
  return all;
}
