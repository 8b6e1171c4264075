// A cluster for the scheduler's tests: records as they would lie in the store, and machines that do as told.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type ClusterSnapshot, emptyCluster } from "../../src/model/cluster.ts";
import type { Decider, Decision } from "../../src/model/decision.ts";
import type { Machine, Member } from "../../src/model/machine.ts";
import type { MachineSettings } from "../../src/model/machine-settings.ts";
import { PlacementCache } from "../../src/model/placement/cache.ts";
import type { Move } from "../../src/model/move.ts";
import type { ScheduleEntry, UnitStatus } from "../../src/model/schedule.ts";
import type { DesiredState, Unit } from "../../src/model/unit.ts";
import type { Plan, SchedulerFacts, Write } from "../../src/scheduler/plan.ts";
import { schedule } from "../../src/scheduler/schedule.ts";
import { why, type InstanceReasons } from "../../src/scheduler/reasons/why.ts";

export const leaseMs = 6000;
const wallStart = Date.UTC(2026, 0, 1);

/** `m1` has the identity 1111…, and so on. */
export const idOf = (name: string): string => {
  const digits = name.replace(/\D/g, "") || "0";
  return Number(digits).toString(16).padStart(4, "0").repeat(8);
};

export class Sketch {
  readonly machines = new Map<string, Machine>();
  readonly members = new Map<string, Member>();
  readonly machineSettings = new Map<string, MachineSettings>();
  autoRebalance = false;
  readonly moves = new Map<string, Move>();
  readonly units = new Map<string, Unit>();
  readonly schedule = new Map<string, Map<string, ScheduleEntry>>();
  readonly statuses = new Map<string, Map<string, UnitStatus>>();
  readonly bodies = new Map<string, string>();
  readonly placements = new PlacementCache((hash) => this.bodies.get(hash));
  readonly goneSince = new Map<string, number>();
  /** Long enough that nothing is held back. */
  nowMs = 100_000;
  overcommit = { memory: 1, cpu: 1 };
  continuousSinceMs: number | undefined = 0;
  /** Newcomers that one pass places. */
  mostPlaced = Infinity;

  machine(
    name: string,
    metadata: Readonly<Record<string, string>> = {},
    fields: Partial<Pick<Machine, "capacity" | "allocatable">> = {},
  ): this {
    const id = idOf(name);
    const address = `10.0.0.${this.machines.size + 1}`;
    this.machines.set(id, {
      id,
      name,
      address,
      apiPort: 7700,
      bootId: `boot-${name}`,
      metadata,
      capacity: { cpus: 2, memoryBytes: 2 ** 30, unenforced: [] },
      os: { id: "debian", version: "13", kernel: "6.12" },
      keeldVersion: "0.1.0",
      since: wallStart,
      leaseSeconds: leaseMs / 1000,
      ...fields,
    });
    this.members.set(id, { id, name, address, apiPort: 7700, joined: wallStart });
    this.goneSince.delete(id);
    return this;
  }

  /** `lines` are those of [X-Fleet]; a body that begins with [ is taken as it is. */
  unit(name: string, lines = "", fields: Partial<Unit> = {}): this {
    const body = lines.startsWith("[") ? lines : `[Service]\nExecStart=/bin/true\n[X-Fleet]\n${lines}\n`;
    const hash = createHash("sha256").update(body).digest("hex");
    this.bodies.set(hash, body);
    this.units.set(name, {
      name,
      desired: "launched",
      hash,
      replicas: 0,
      restarts: 0,
      generation: 1,
      owner: "test",
      created: wallStart,
      changed: wallStart,
      ...fields,
    });
    return this;
  }

  desire(name: string, desired: DesiredState): this {
    const unit = this.units.get(name);
    if (unit === undefined) throw new Error(`no ${name}`);
    this.units.set(name, { ...unit, desired });
    return this;
  }

  /** Takes the machine out of service: no new units, and, as a drain, none at all. */
  close(name: string, drain?: MachineSettings["drain"]): this {
    const id = idOf(name);
    const settings = { machine: id, cordoned: true, metadata: {} };
    this.machineSettings.set(id, drain === undefined ? settings : { ...settings, drain });
    return this;
  }

  drain(name: string, deadline?: number): this {
    const since = this.wallMs();
    return this.close(name, { since, reason: "", ...(deadline === undefined ? {} : { deadline }) });
  }

  reopen(name: string): this {
    this.machineSettings.delete(idOf(name));
    return this;
  }

  /** The machine's lease has run out; what it reported went with it. */
  lose(name: string, atMs = this.nowMs): this {
    const id = idOf(name);
    this.machines.delete(id);
    this.statuses.delete(id);
    this.goneSince.set(id, atMs);
    return this;
  }

  pass(ms = 0): Plan {
    this.nowMs += ms;
    return schedule(this.snapshot(), this.placements, this.facts());
  }

  /** What the decider says about moves, written at once. */
  decide(decider: Decider): Decision {
    const { nowMs, placements } = this;
    const newId = (): string => "op";
    const snapshot = this.snapshot();
    const decision = decider.decide({ snapshot, placements, nowMs, wallMs: this.wallMs(), newId });
    const changes = decision.operations.flatMap(({ records = [] }) => records);
    for (const { kind, name, after } of [...decision.records, ...changes]) {
      assert.equal(kind, "move");
      if (after === undefined) this.moves.delete(name);
      else this.moves.set(name, after as Move);
    }
    return decision;
  }

  /** A pass whose plan is written at once. */
  run(ms = 0): Plan {
    const plan = this.pass(ms);
    for (const { writes } of plan.groups) for (const write of writes) this.write(write);
    return plan;
  }

  write(write: Write): void {
    const entries = this.schedule.get(write.machine) ?? new Map<string, ScheduleEntry>();
    if ("entry" in write) entries.set(write.entry.unit, write.entry);
    else entries.delete(write.remove);
    if (entries.size > 0) this.schedule.set(write.machine, entries);
    else this.schedule.delete(write.machine);
  }

  /** Every machine has done what it was told: it runs its orders and has stopped the rest. */
  obey(...names: readonly string[]): this {
    const ids = names.length === 0 ? [...this.machines.keys()] : names.map(idOf);
    for (const id of ids) {
      const statuses = new Map<string, UnitStatus>();
      for (const entry of this.schedule.get(id)?.values() ?? []) {
        statuses.set(entry.unit, this.status(entry));
      }
      if (statuses.size > 0) this.statuses.set(id, statuses);
      else this.statuses.delete(id);
    }
    return this;
  }

  status({ unit, hash, desired, restarts }: ScheduleEntry): UnitStatus {
    const isUp = desired === "launched";
    return {
      unit,
      hash,
      load: "loaded",
      active: isUp ? "active" : "inactive",
      sub: isUp ? "running" : "dead",
      invocation: isUp ? `${restarts}`.padStart(32, "a") : "",
      health: isUp ? "healthy" : "stopped",
      since: this.wallMs() - 1000,
      restarts,
      reason: "",
      addresses: [],
      steps: isUp ? { started: this.wallMs(), active: this.wallMs() } : {},
    };
  }

  why(name: string): InstanceReasons[] {
    return why(this.snapshot(), name, { placements: this.placements, facts: this.facts() });
  }

  /** Names of the machines that have an order for the unit, companions not counted. */
  where(unit: string): string[] {
    return [...this.schedule]
      .filter(([, entries]) => entries.get(unit)?.companion === false)
      .map(([id]) => this.members.get(id)?.name ?? id)
      .sort();
  }

  companions(machine: string): string[] {
    const entries = [...(this.schedule.get(idOf(machine))?.values() ?? [])];
    return entries
      .filter(({ companion }) => companion)
      .map(({ unit }) => unit)
      .sort();
  }

  wallMs(): number {
    return wallStart + this.nowMs;
  }

  facts(): SchedulerFacts {
    const { nowMs, continuousSinceMs, goneSince, mostPlaced } = this;
    return { nowMs, wallMs: this.wallMs(), continuousSinceMs, goneSince, leaseMs, fence: 7, mostPlaced };
  }

  snapshot(): ClusterSnapshot {
    return {
      ...emptyCluster,
      revision: 1,
      settings: { autoRebalance: this.autoRebalance, overcommit: this.overcommit },
      machines: this.machines,
      members: this.members,
      machineSettings: this.machineSettings,
      moves: this.moves,
      units: this.units,
      schedule: this.schedule,
      statuses: this.statuses,
      operations: new Map(),
      images: new Map(),
      leader: undefined,
      alarms: new Map(),
    };
  }
}

export const threeMachines = (): Sketch => new Sketch().machine("m1").machine("m2").machine("m3");
