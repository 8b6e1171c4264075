// A unit in a rollout on a few machines: the real decider and the real scheduler, and machines that take their time,
// fail with some versions, and sometimes by themselves.
import { createHash } from "node:crypto";
import type { ClusterSnapshot } from "../../src/model/cluster.ts";
import type { Decision } from "../../src/model/decision.ts";
import type { Intent, Operation } from "../../src/model/operation.ts";
import type { RecordChange } from "../../src/model/record-kinds.ts";
import type { Rollout, UnitVersions } from "../../src/model/rollout.ts";
import type { ScheduleEntry, UnitStatus } from "../../src/model/schedule.ts";
import type { Unit } from "../../src/model/unit.ts";
import { rolloutDecider } from "../../src/rollout/decider.ts";
import { plan } from "../../src/safeguards/plan.ts";
import { schedule } from "../../src/scheduler/schedule.ts";
import { Sketch } from "../scheduler/sketch.ts";

export type Chance = () => number;

export interface Batch {
  readonly keys: readonly string[];
  /** Keys that were not healthy when it began, those of the batch included. */
  readonly down: readonly string[];
  readonly total: number;
}

export const stepMs = 500;

export class World {
  readonly sketch = new Sketch();
  readonly rollouts = new Map<string, Rollout>();
  readonly versions = new Map<string, UnitVersions>();
  readonly operations = new Map<string, Operation>();
  readonly batches: Batch[] = [];
  readonly #bad = new Set<string>();
  readonly #chance: Chance;
  #ids = 0;
  #runs = 0;

  constructor(machines: number, chance: Chance) {
    this.#chance = chance;
    for (let number = 1; number <= machines; number++) this.sketch.machine(`m${number}`);
  }

  snapshot(): ClusterSnapshot {
    const { rollouts, versions, operations } = this;
    return { ...this.sketch.snapshot(), rollouts, versions, operations };
  }

  /** A file's text, known to the scheduler; every instance that has it fails. */
  file(text: string, isBad = false): string {
    const hash = createHash("sha256").update(text).digest("hex");
    this.sketch.bodies.set(hash, text);
    if (isBad) this.#bad.add(hash);
    return hash;
  }

  ask(intent: Intent): Operation {
    const { sketch } = this;
    const { operation, bodies } = plan(intent, this.snapshot(), {
      bodies: (hash) => sketch.bodies.get(hash),
      placements: sketch.placements,
      context: { who: "test", via: "test", nowMs: sketch.wallMs(), newId: () => this.#newId() },
    });
    for (const [hash, body] of bodies) sketch.bodies.set(hash, body);
    this.#apply(operation);
    return operation;
  }

  submit(name: string, text: string, replace = false): Operation {
    const files = [{ name, body: Buffer.from(text).toString("base64") }];
    return this.ask({ kind: "submit", files, desired: "launched", replace });
  }

  unit(name: string): Unit {
    const unit = this.sketch.units.get(name);
    if (unit === undefined) throw new Error(`no ${name}`);
    return unit;
  }

  /** What the leader does in one look, and then some machines answer. */
  step(): Decision {
    const { sketch } = this;
    sketch.nowMs += stepMs;
    const decision = this.decide();
    const passed = schedule(this.snapshot(), sketch.placements, sketch.facts());
    for (const { writes } of passed.groups) for (const write of writes) sketch.write(write);
    this.#answer();
    return decision;
  }

  decide(): Decision {
    const { sketch } = this;
    const snapshot = this.snapshot();
    const decision = rolloutDecider.decide({
      snapshot,
      placements: sketch.placements,
      nowMs: sketch.nowMs,
      wallMs: sketch.wallMs(),
      newId: () => this.#newId(),
    });
    for (const change of decision.records) {
      this.#noteBatch(change);
      this.#write(change);
    }
    for (const operation of decision.operations) this.#apply(operation);
    return decision;
  }

  /** Instances by name whose machine says that they run well, with the hash of their file. */
  healthy(): Map<string, string> {
    const found = new Map<string, string>();
    for (const [machine, entries] of this.sketch.schedule) {
      for (const entry of entries.values()) {
        const status = this.sketch.statuses.get(machine)?.get(entry.unit);
        if (status?.health === "healthy" && status.hash === entry.hash) found.set(entry.unit, status.hash);
      }
    }
    return found;
  }

  /** Something outside fails: an instance that runs ends. It is started again a while later. */
  crashOne(): void {
    for (const statuses of this.sketch.statuses.values()) {
      for (const [unit, status] of statuses) {
        if (status.health !== "healthy" || this.#chance() > 0.3) continue;
        statuses.set(unit, { ...status, active: "activating", sub: "auto-restart", health: "starting" });
        return;
      }
    }
  }

  #answer(): void {
    for (const [machine, entries] of this.sketch.schedule) {
      const statuses = new Map(this.sketch.statuses.get(machine));
      for (const entry of entries.values()) {
        if (this.#chance() < 0.3) continue;
        statuses.set(entry.unit, this.#next(entry, statuses.get(entry.unit)));
      }
      for (const unit of statuses.keys()) if (!entries.has(unit)) statuses.delete(unit);
      this.sketch.statuses.set(machine, statuses);
    }
  }

  #next(entry: ScheduleEntry, status: UnitStatus | undefined): UnitStatus {
    const isCurrent = status?.hash === entry.hash && status.restarts === entry.restarts;
    if (isCurrent && status.health !== "starting") return status;
    const up = this.sketch.status(entry);
    const invocation = isCurrent ? status.invocation : `${++this.#runs}`.padStart(32, "0");
    if (!isCurrent) return { ...up, invocation, active: "activating", sub: "start", health: "starting" };
    if (!this.#bad.has(entry.hash)) return { ...up, invocation };
    return { ...up, invocation, active: "failed", sub: "failed", health: "failed", reason: "exit status 1" };
  }

  #noteBatch({ before, after }: RecordChange): void {
    const known = new Set((before as Rollout | undefined)?.updated);
    const rollout = after as Rollout | undefined;
    const keys = rollout?.updated.filter((key) => !known.has(key)) ?? [];
    if (rollout === undefined || keys.length === 0) return;
    const well = this.healthy();
    const unit = this.unit(rollout.unit);
    const names = Array.from({ length: unit.replicas }, (_, index) =>
      unit.name.replace("@", `@${index + 1}`),
    );
    this.batches.push({ keys, down: names.filter((name) => !well.has(name)), total: names.length });
  }

  #apply(operation: Operation): void {
    for (const { unit, after } of operation.changes) {
      if (after === undefined) this.sketch.units.delete(unit);
      else this.sketch.units.set(unit, after);
    }
    for (const change of operation.records ?? []) this.#write(change);
    this.operations.set(operation.id, { ...operation, state: "applied" });
  }

  #write({ kind, name, after }: RecordChange): void {
    const records = kind === "rollout" ? this.rollouts : kind === "versions" ? this.versions : undefined;
    if (records === undefined) throw new Error(`no ${kind} is written here`);
    if (after === undefined) records.delete(name);
    else (records as Map<string, unknown>).set(name, after);
  }

  #newId(): string {
    return `op${String(++this.#ids).padStart(4, "0")}`;
  }
}
