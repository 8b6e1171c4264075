// The snapshot as people see it. What did not change between two snapshots stays the same object, so that
// a change costs what changed and the difference between two views is found by identity.
import type { ClusterSnapshot } from "../../model/cluster.ts";
import type { Operation } from "../../model/operation.ts";
import type { ScheduleEntry, UnitStatus } from "../../model/schedule.ts";
import type { AmountsView, MachineView } from "../wire/machine.ts";
import type { InstanceView } from "../wire/instance.ts";
import type { OperationSummary } from "../wire/operation.ts";
import type { LeaderView, SnapshotView } from "../wire/snapshot.ts";
import type { UnitView } from "../wire/unit.ts";
import { instanceOn, instanceWaiting, unitOf } from "./instance-view.ts";
import type { InstanceSources } from "./instance-view.ts";
import { machineView } from "./machine-view.ts";
import { newestFirst, operationSummary } from "./operation-view.ts";
import { runInstances } from "./run-instances.ts";
import { unitView } from "./unit-view.ts";
import { ViewMemory } from "./view-memory.ts";

/** What the scheduler makes of a snapshot. */
export interface PlacementFacts {
  /** How many instances a unit should have now. */
  wanted(unit: string): number;
  /** What the orders of a machine ask for. */
  requested(machine: string): AmountsView;
  /** Limits of the instance's file that the machine's kernel does not hold. */
  unenforced(instance: string, machine: string): readonly string[];
  /** Instances that should run and have no order, with the reason, if there is one. */
  readonly waiting: ReadonlyMap<
    string,
    { readonly unit: string; readonly reason: string; readonly isHeld?: boolean }
  >;
}

const shownOperations = 20;

export class ClusterProjection {
  readonly #cluster: string;
  readonly #instances = new ViewMemory<InstanceView>();
  readonly #machines = new ViewMemory<MachineView>();
  readonly #units = new ViewMemory<UnitView>();
  readonly #operations = new WeakMap<Operation, OperationSummary>();

  constructor(cluster: string) {
    this.#cluster = cluster;
  }

  view(snapshot: ClusterSnapshot, facts: PlacementFacts, at: number): SnapshotView {
    const instances = this.#projectInstances(snapshot, facts);
    const byUnit = Map.groupBy(
      instances.filter(({ companion }) => !companion),
      ({ unit }) => unit,
    );
    const counts = countByMachine(instances);
    return {
      revision: snapshot.revision,
      cluster: this.#cluster,
      at,
      leader: leaderView(snapshot),
      machines: this.#projectMachines(snapshot, counts, facts),
      units: this.#projectUnits(snapshot, byUnit, facts),
      instances,
      alarms: Object.fromEntries(snapshot.alarms),
      operations: this.#projectOperations(snapshot),
    };
  }

  #projectInstances(snapshot: ClusterSnapshot, facts: PlacementFacts): InstanceView[] {
    for (const sources of placed(snapshot)) {
      const { name, unit, machine, machineName, isUp, entry, status } = sources;
      const waiting = facts.waiting.get(name);
      const isHeld = waiting?.isHeld === true && (entry?.desired === "loaded" || !isUp);
      const held = isHeld ? waiting.reason : undefined;
      const unenforced = facts.unenforced(name, machine);
      const from = [unit, machineName, isUp, entry, status, held, unenforced.join()];
      this.#instances.keep(`${machine}/${name}`, from, () => instanceOn(sources, { held, unenforced }));
    }
    for (const [name, { unit, reason, isHeld }] of facts.waiting) {
      const record = snapshot.units.get(unit);
      if (!record || isHeld === true) continue;
      const { hash, desired } = record;
      const make = (): InstanceView => instanceWaiting({ name, unit, hash, desired, reason });
      this.#instances.keep(`/${name}`, [hash, desired, reason], make);
    }
    for (const one of runInstances(snapshot, facts.waiting))
      this.#instances.keep(one.key, one.from, () => one.view);
    return this.#instances.finish();
  }

  #projectMachines(
    snapshot: ClusterSnapshot,
    counts: ReadonlyMap<string, number>,
    facts: PlacementFacts,
  ): MachineView[] {
    const { overcommit } = snapshot.settings;
    for (const id of new Set([...snapshot.members.keys(), ...snapshot.machines.keys()])) {
      const machine = snapshot.machines.get(id);
      const member = snapshot.members.get(id);
      const settings = snapshot.machineSettings.get(id);
      const isLeader = snapshot.leader === id;
      const instances = counts.get(id) ?? 0;
      const requested = facts.requested(id);
      const from = { machine, member, settings, isLeader, instances };
      const make = (): MachineView => machineView(id, { ...from, requested, overcommit });
      const { memoryBytes, cpus } = requested;
      const { memory, cpu } = overcommit;
      this.#machines.keep(id, [...Object.values(from), memoryBytes, cpus, memory, cpu], make);
    }
    return this.#machines.finish();
  }

  #projectUnits(
    snapshot: ClusterSnapshot,
    byUnit: ReadonlyMap<string, readonly InstanceView[]>,
    facts: PlacementFacts,
  ): UnitView[] {
    for (const [name, unit] of snapshot.units) {
      const instances = byUnit.get(name) ?? [];
      const wanted = facts.wanted(name);
      const [rollout, timer] = [snapshot.rollouts.get(name), snapshot.timers.get(name)];
      const job = snapshot.jobs.get(name);
      const sources = { wanted, rollout, timer, job };
      const from = [unit, wanted, rollout, timer, job, ...instances];
      this.#units.keep(name, from, () => unitView(unit, instances, sources));
    }
    return this.#units.finish();
  }

  #projectOperations(snapshot: ClusterSnapshot): OperationSummary[] {
    return newestFirst(snapshot.operations.values())
      .slice(0, shownOperations)
      .map((operation) => {
        const view = this.#operations.get(operation) ?? operationSummary(operation);
        this.#operations.set(operation, view);
        return view;
      });
  }
}

/** Everything that has an order or shows on a machine. */
function* placed(snapshot: ClusterSnapshot): Generator<InstanceSources> {
  for (const machine of new Set([...snapshot.schedule.keys(), ...snapshot.statuses.keys()])) {
    const entries: ReadonlyMap<string, ScheduleEntry> = snapshot.schedule.get(machine) ?? new Map();
    const statuses: ReadonlyMap<string, UnitStatus> = snapshot.statuses.get(machine) ?? new Map();
    const isUp = snapshot.machines.has(machine);
    const known = snapshot.machines.get(machine) ?? snapshot.members.get(machine);
    const machineName = known?.name ?? machine.slice(0, 8);
    for (const name of new Set([...entries.keys(), ...statuses.keys()])) {
      const unit = unitOf(name, snapshot);
      yield { name, unit, machine, machineName, isUp, entry: entries.get(name), status: statuses.get(name) };
    }
  }
}

function countByMachine(instances: readonly InstanceView[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { machine, companion, desired } of instances) {
    if (machine !== null && !companion && desired !== "inactive")
      counts.set(machine, (counts.get(machine) ?? 0) + 1);
  }
  return counts;
}

function leaderView(snapshot: ClusterSnapshot): LeaderView | null {
  const { leader } = snapshot;
  if (leader === undefined) return null;
  const known = snapshot.machines.get(leader) ?? snapshot.members.get(leader);
  return { machine: leader, name: known?.name ?? null };
}
