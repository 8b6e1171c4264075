// What is to be placed: the wanted instances with what their files ask for.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { KeelError } from "../base/errors.ts";
import { clusterTimerTarget } from "../model/cluster-timer.ts";
import { allInstances, type Instance } from "../model/instances.ts";
import type { JobRun } from "../model/job.ts";
import type { HostPort, PlacementRules } from "../model/placement/read-placement.ts";
import type { PlacementSource } from "../model/placement/cache.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import { isSupporting, templateName } from "../model/unit-name.ts";
import { openRollout, type VersionReader, versionOf, versionsOf } from "../model/version-of.ts";
import { type DueRuns, dueRuns } from "./due-runs.ts";
import { memoriesOf } from "./moving/memory.ts";

/** A host port with the unit that takes it. Containers of one pod take its ports together. */
export interface PortClaim {
  readonly port: HostPort;
  readonly owner: string;
}

export interface Placeable {
  readonly name: string;
  readonly instance: Instance;
  /** Of the version of the file that it is to have. */
  readonly hash: string;
  readonly rules: PlacementRules;
  readonly ports: readonly PortClaim[];
  /** Of a unit that runs to its end: the run to carry out. */
  readonly run?: JobRun;
  /** Of a global one: the machines that have one to carry out. */
  readonly runsOn?: ReadonlySet<string>;
  /** The template that it is an instance of. */
  readonly template: string | undefined;
  /** What it adds to a machine's load. */
  readonly weight: 0 | 1;
  /** Of a global unit: what it is on the machines that have another version already, or a run, by machine id. */
  readonly elsewhere?: ReadonlyMap<string, Placeable>;
  /** Machines that it had better not go to, by id, in words that follow the machine's name. */
  readonly shuns?: ReadonlyMap<string, string>;
  /** Of its orders, see ScheduleEntry. */
  readonly avoids?: ScheduleEntry["avoids"];
}

/** Whether there is something for the machine to do: a global unit that runs to its end may be through there. */
export const hasWorkOn = ({ runsOn }: Placeable, machine: string): boolean => runsOn?.has(machine) ?? true;

/** The unit as it is to be on this machine. */
export const placeableOn = (unit: Placeable, machine: string): Placeable =>
  unit.elsewhere?.get(machine) ?? unit;

/** What can be known of a unit that is still running and no longer wanted: its file's rules. */
export type Leftover = Pick<Placeable, "name" | "rules" | "ports">;

export function leftover(name: string, hash: string, context: Context): Leftover | undefined {
  const rules = context.placements.rulesOf(hash, name);
  if (rules === "missing" || rules instanceof KeelError) return undefined;
  return { name, rules, ports: portClaims(name, rules, context) };
}

export interface Wanted {
  readonly placeables: ReadonlyMap<string, Placeable>;
  /** Instances that are wanted and cannot be judged: their file is not here, or cannot be read. */
  readonly problems: ReadonlyMap<
    string,
    { readonly instance: Instance; readonly reason: string; readonly final: boolean }
  >;
}

export function wantedInstances(
  snapshot: ClusterSnapshot,
  placements: PlacementSource,
  wallMs: number,
): Wanted {
  const memories = memoriesOf(snapshot, wallMs);
  const placeables = new Map<string, Placeable>();
  const problems = new Map<string, { instance: Instance; reason: string; final: boolean }>();
  const runs = dueRuns(snapshot);
  let version = { of: "", read: (): string => "" } as { of: string; read: VersionReader };
  for (const instance of allInstances(snapshot.units).values()) {
    const { name, unit } = instance;
    const due = runs.get(name);
    if (instance.desired === "inactive" && due === undefined) continue;
    if (version.of !== unit.name) version = { of: unit.name, read: versionsOf(unit, snapshot) };
    const hash = due?.run.hash ?? version.read(name);
    const rules = placements.rulesOf(hash, name);
    if (rules === "missing") {
      problems.set(name, { instance, reason: "its unit file has not been read yet", final: false });
    } else if (rules instanceof KeelError) {
      problems.set(name, { instance, reason: rules.message, final: true });
    } else if (due !== undefined) {
      placeables.set(name, ofRuns(instance, { due, rules }, { snapshot, placements }));
    } else if (clusterTimerTarget(name, rules, snapshot.units) !== undefined) {
      continue;
    } else if (rules.batch === undefined || instance.desired === "loaded") {
      const made = placeable({ instance, hash, rules }, { snapshot, placements });
      const memory = memories.get(name);
      const placed = memory === undefined ? made : { ...made, ...memory };
      const context = { snapshot, placements };
      placeables.set(name, rules.global ? withElsewhere(placed, version.read, context) : placed);
    }
  }
  return { placeables, problems };
}

export interface Context {
  readonly snapshot: ClusterSnapshot;
  readonly placements: PlacementSource;
}

function placeable(
  { instance, hash, rules }: Pick<Placeable, "instance" | "hash" | "rules">,
  context: Context,
): Placeable {
  const { name } = instance;
  return {
    name,
    instance,
    hash,
    rules,
    ports: portClaims(name, rules, context),
    template: templateName(name),
    weight: isSupporting(name) ? 0 : 1,
  };
}

/** What a run wants: launched, with the file that it began with. */
function ofRuns(
  instance: Instance,
  { due, rules }: { readonly due: DueRuns; readonly rules: PlacementRules },
  context: Context,
): Placeable {
  const made = ofRun(instance, { run: due.run, rules }, context);
  if (due.runs === undefined) return made;
  const elsewhere = new Map<string, Placeable>();
  for (const [machine, run] of due.runs) {
    const own = context.placements.rulesOf(run.hash, instance.name);
    if (own === "missing" || own instanceof KeelError) continue;
    elsewhere.set(machine, ofRun(instance, { run, rules: own }, context));
  }
  return { ...made, elsewhere, runsOn: new Set(elsewhere.keys()) };
}

function ofRun(
  instance: Instance,
  { run, rules }: { readonly run: JobRun; readonly rules: PlacementRules },
  context: Context,
): Placeable {
  const launched: Instance = { ...instance, desired: "launched" };
  return { ...placeable({ instance: launched, hash: run.hash, rules }, context), run };
}

/** A version that cannot be read is given to no machine: there the unit stays what it is. */
function withElsewhere(base: Placeable, read: VersionReader, context: Context): Placeable {
  const { snapshot, placements } = context;
  const { name, instance } = base;
  if (openRollout(instance.unit, snapshot) === undefined) return base;
  const byHash = new Map<string, Placeable>();
  const elsewhere = new Map<string, Placeable>();
  for (const machine of snapshot.machines.keys()) {
    const hash = read(name, machine);
    if (hash === base.hash) continue;
    const rules = placements.rulesOf(hash, name);
    if (rules === "missing" || rules instanceof KeelError || !rules.global) continue;
    const other = byHash.get(hash) ?? placeable({ instance, hash, rules }, context);
    byHash.set(hash, other);
    elsewhere.set(machine, other);
  }
  return { ...base, elsewhere };
}

/** A unit whose file cannot be read now: it stays where it is, and nothing is known of what it asks for. */
export function unjudged(instance: Instance): Placeable {
  const { name } = instance;
  const { hash } = instance.unit;
  return { name, instance, hash, rules: noRules, ports: noPorts, template: templateName(name), weight: 1 };
}

const noRules: PlacementRules = {
  machine: undefined,
  metadata: new Map(),
  machineOf: [],
  conflicts: [],
  replaces: [],
  global: false,
  onPartition: "stop",
  replicas: undefined,
  owner: undefined,
  spreadOver: [],
  prefers: [],
  resources: { memoryBytes: 0, memoryShare: 0, cpus: 0, limits: [] },
  priority: 0,
  preempts: false,
  health: undefined,
  moveAfter: undefined,
  update: {
    maxUnavailable: { count: 1 },
    maxSurge: { count: 0 },
    healthyForMs: 0,
    timeoutMs: 300_000,
    onFailure: "rollback",
  },
  afterUnits: [],
  requiresUnits: [],
  batch: undefined,
  timer: undefined,
  hostPorts: [],
  references: [],
  pod: undefined,
  images: [],
};

const noPorts: readonly PortClaim[] = [];

function portClaims(
  name: string,
  { hostPorts, pod }: PlacementRules,
  { snapshot, placements }: Context,
): readonly PortClaim[] {
  if (hostPorts.length === 0 && pod === undefined) return noPorts;
  const own = hostPorts.map((port) => ({ port, owner: name }));
  const podUnit = snapshot.units.get(pod ?? "");
  if (podUnit === undefined) return own;
  const podRules = placements.rulesOf(versionOf(podUnit, podUnit, snapshot), podUnit.name);
  if (podRules === "missing" || podRules instanceof KeelError) return own;
  return [...own, ...podRules.hostPorts.map((port) => ({ port, owner: podUnit.name }))];
}

export function portsOverlap(one: HostPort, other: HostPort): boolean {
  if (one.protocol !== other.protocol || one.last < other.first || other.last < one.first) return false;
  return one.address === undefined || other.address === undefined || one.address === other.address;
}
