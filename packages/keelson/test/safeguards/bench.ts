// A cluster's records for the safeguards' tests: plans are carried out on the spot.
import { createHash } from "node:crypto";
import { KeelError } from "../../src/base/errors.ts";
import { type ClusterSnapshot, emptyCluster } from "../../src/model/cluster.ts";
import type { Member } from "../../src/model/machine.ts";
import type { MachineSettings } from "../../src/model/machine-settings.ts";
import type { Intent, Operation } from "../../src/model/operation.ts";
import { PlacementCache } from "../../src/model/placement/cache.ts";
import type { ScheduleEntry, UnitStatus } from "../../src/model/schedule.ts";
import type { SystemReport, SystemUpdate } from "../../src/model/system-update.ts";
import type { Unit } from "../../src/model/unit.ts";
import type { OperationPlan } from "../../src/safeguards/operation-plan.ts";
import { plan } from "../../src/safeguards/plan.ts";

export const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString("base64");
export const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
export const service = (line = ""): string => `[Service]\nExecStart=/bin/sleep 9\n${line}`;

export class Bench {
  readonly units = new Map<string, Unit>();
  readonly operations = new Map<string, Operation>();
  readonly members = new Map<string, Member>();
  readonly bodies = new Map<string, string>();
  readonly schedule = new Map<string, Map<string, ScheduleEntry>>();
  readonly statuses = new Map<string, Map<string, UnitStatus>>();
  readonly machines = new Map<string, never>();
  readonly machineSettings = new Map<string, MachineSettings>();
  readonly systemReports = new Map<string, SystemReport>();
  systemUpdate: SystemUpdate | undefined;
  readonly placements = new PlacementCache((hash) => this.bodies.get(hash));
  nowMs = 1_000_000;
  #ids = 0;

  plan(intent: Intent): OperationPlan {
    this.nowMs += 1000;
    return plan(intent, this.snapshot(), {
      bodies: (hash) => this.bodies.get(hash),
      placements: this.placements,
      context: {
        who: "ada",
        via: "test",
        nowMs: this.nowMs,
        newId: () => `op${String(++this.#ids).padStart(3, "0")}`,
      },
    });
  }

  /** Plans and carries out; the operation. */
  do(intent: Intent): Operation {
    const planned = this.plan(intent);
    const operation: Operation = { ...planned.operation, state: "applied" };
    for (const { unit, after } of operation.changes) {
      if (after === undefined) this.units.delete(unit);
      else this.units.set(unit, after);
    }
    for (const { kind, name, after } of operation.records ?? []) {
      if (kind === "system-update") this.systemUpdate = after as SystemUpdate;
      if (kind !== "machine-settings") continue;
      if (after === undefined) this.machineSettings.delete(name);
      else this.machineSettings.set(name, after as MachineSettings);
    }
    for (const [hash, body] of planned.bodies) this.bodies.set(hash, body);
    this.operations.set(operation.id, operation);
    const undone = this.operations.get(operation.undoOf ?? "");
    if (undone) this.operations.set(undone.id, { ...undone, undoneBy: operation.id });
    return operation;
  }

  submit(
    files: Readonly<Record<string, string>>,
    fields: Partial<Extract<Intent, { kind: "submit" }>> = {},
  ): Operation {
    return this.do(submission(files, fields));
  }

  destroy(...names: readonly string[]): Operation {
    return this.do({ kind: "destroy", units: { names: [...names] } });
  }

  /** What people see of the units. */
  seen(): Readonly<Record<string, string>> {
    const text = ({ desired, hash, replicas }: Unit): string =>
      `${desired} ${replicas > 0 ? `×${replicas} ` : ""}${this.bodies.get(hash)}`;
    return Object.fromEntries([...this.units.values()].map((unit) => [unit.name, text(unit)]));
  }

  snapshot(): ClusterSnapshot {
    const { units, operations, members, schedule, statuses, machines, machineSettings } = this;
    return {
      ...emptyCluster,
      revision: 1,
      units,
      operations,
      members,
      schedule,
      statuses,
      machines,
      machineSettings,
      systemReports: this.systemReports,
      systemUpdate: this.systemUpdate,
    };
  }
}

export function submission(
  files: Readonly<Record<string, string>>,
  fields: Partial<Extract<Intent, { kind: "submit" }>> = {},
): Intent {
  return {
    kind: "submit",
    files: Object.entries(files).map(([name, body]) => ({ name, body: base64(body) })),
    desired: "launched",
    replace: false,
    ...fields,
  };
}

export function refusal(run: () => unknown): KeelError {
  try {
    run();
  } catch (error) {
    if (error instanceof KeelError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

export const start = (...names: readonly string[]): Intent => ({
  kind: "set-desired",
  units: { names: [...names] },
  desired: "launched",
});
export const stop = (...names: readonly string[]): Intent => ({
  kind: "set-desired",
  units: { names: [...names] },
  desired: "loaded",
});
