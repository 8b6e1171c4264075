// What the leader leaves alone while records of the store cannot be read: nothing is stopped, moved or started on the
// strength of what is missing. Each such record holds back only what it is about, and an alarm names them.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { instanceNamed } from "../model/instances.ts";
import { machineAndUnit, nameIn, prefixes } from "../model/keys.ts";
import { templateName } from "../model/unit-name.ts";
import type { Write, WriteGroup } from "../scheduler/plan.ts";

/** Records of the store that cannot be read. */
export const damagedAlarm = "damaged-records";
const mostNamed = 5;

/** Why by key, as the view has it. */
export type Damaged = ReadonlyMap<string, string>;

/** The cluster as the leader is to see it: nothing new comes to a machine whose settings cannot be read. */
export function cautious(snapshot: ClusterSnapshot, damaged: Damaged): ClusterSnapshot {
  if (damaged.size === 0) return snapshot;
  const machineSettings = new Map(snapshot.machineSettings);
  for (const key of damaged.keys()) {
    const machine = nameIn(prefixes.machineSettings, key);
    if (machine !== undefined) machineSettings.set(machine, { machine, cordoned: true, metadata: {} });
  }
  return machineSettings.size === snapshot.machineSettings.size ? snapshot : { ...snapshot, machineSettings };
}

/** The groups without what must wait; all writes about one instance wait together. */
export function withheld(
  groups: readonly WriteGroup[],
  snapshot: ClusterSnapshot,
  damaged: Damaged,
): readonly WriteGroup[] {
  if (damaged.size === 0) return groups;
  const held = new Held(snapshot, damaged);
  const waiting = new Set<string>();
  for (const { writes } of groups)
    for (const write of writes) if (held.has(write)) waiting.add(instanceIn(write));
  const free = groups.map(({ writes, absent }) => ({
    writes: writes.filter((write) => !waiting.has(instanceIn(write))),
    absent: absent.filter((machine) => !held.isUnreadableMachine(machine)),
  }));
  return free.filter(({ writes }) => writes.length > 0);
}

const instanceIn = (write: Write): string => ("remove" in write ? write.remove : write.entry.unit);

/** The alarm's text; `undefined` when every record can be read. */
export function damageInWords(damaged: Damaged): string | undefined {
  const names = [...damaged.keys()].map((key) => JSON.stringify(key).slice(1, -1).slice(0, 200)).sort();
  if (names.length === 0) return undefined;
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : "";
  const what = names.length === 1 ? "a record" : `${names.length} records`;
  return `${what} of the store cannot be read; what it is about stays as it is: ${names.slice(0, mostNamed).join(", ")}${more}`;
}

class Held {
  readonly #snapshot: ClusterSnapshot;
  /** Units and instances by name: nothing about them is written. */
  readonly #names = new Set<string>();
  /** Machines whose settings cannot be read: what is wanted stays on them. */
  readonly #settled = new Set<string>();
  readonly #machines = new Set<string>();
  /** Instances by name, and the machines that may have them. */
  readonly #places = new Map<string, Set<string>>();

  constructor(snapshot: ClusterSnapshot, damaged: Damaged) {
    this.#snapshot = snapshot;
    for (const key of damaged.keys()) this.#note(key);
  }

  isUnreadableMachine(machine: string): boolean {
    return this.#machines.has(machine);
  }

  has(write: Write): boolean {
    const { machine } = write;
    const name = instanceIn(write);
    const { units, machines } = this.#snapshot;
    if (this.#names.has(name) || this.#names.has(templateName(name) ?? "")) return true;
    if ("remove" in write && this.#machines.has(machine)) return true;
    if ("remove" in write && this.#settled.has(machine)) {
      const wanted = instanceNamed(name, units);
      if (wanted !== undefined && wanted.desired !== "inactive") return true;
    }
    const places = this.#places.get(name);
    return places !== undefined && [...places].some((id) => machines.has(id) || this.#machines.has(id));
  }

  #note(key: string): void {
    const named =
      nameIn(prefixes.units, key) ??
      nameIn(prefixes.rollouts, key) ??
      instanceOfJob(nameIn(prefixes.jobs, key));
    if (named !== undefined) this.#names.add(named);
    const settled = nameIn(prefixes.machineSettings, key);
    if (settled !== undefined) this.#settled.add(settled);
    const machine = nameIn(prefixes.machines, key);
    if (machine !== undefined) this.#machines.add(machine);
    const place = machineAndUnit(prefixes.schedule, key) ?? machineAndUnit(prefixes.status, key);
    if (place === undefined) return;
    const known = this.#places.get(place.unit) ?? new Set();
    this.#places.set(place.unit, known.add(place.machine));
  }
}

/** `backup.service`, or of a global unit `backup.service@<machine>`. */
function instanceOfJob(name: string | undefined): string | undefined {
  return name?.replace(/@[0-9a-f]{32}$/, "");
}
