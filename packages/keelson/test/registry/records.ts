// Records for the tests of this folder and its neighbours.
import type { Machine } from "../../src/model/machine.ts";
import type { Change, Operation } from "../../src/model/operation.ts";
import type { ScheduleEntry, UnitStatus } from "../../src/model/schedule.ts";
import type { Unit } from "../../src/model/unit.ts";
import { hashBody } from "../../src/registry/body-cache.ts";

export const machineId = (number: number): string => number.toString(16).padStart(32, "0");

export function machineRecord(number: number, changes: Partial<Machine> = {}): Machine {
  return {
    id: machineId(number),
    name: `m${number}`,
    address: `10.0.0.${number}`,
    apiPort: 2390,
    bootId: `boot-${number}`,
    metadata: {},
    capacity: { cpus: 2, memoryBytes: 1 << 30, unenforced: [] },
    os: { id: "debian", version: "13", kernel: "6.12" },
    keeldVersion: "0.1.0",
    since: 1,
    leaseSeconds: 6,
    ...changes,
  };
}

export function unitRecord(name: string, changes: Partial<Unit> = {}): Unit {
  return {
    name,
    desired: "launched",
    hash: hashBody(name),
    replicas: 0,
    restarts: 0,
    generation: 1,
    owner: "test",
    created: 1,
    changed: 1,
    ...changes,
  };
}

export function orderRecord(unit: string, changes: Partial<ScheduleEntry> = {}): ScheduleEntry {
  return {
    unit,
    hash: hashBody(unit),
    desired: "launched",
    restarts: 0,
    onPartition: "stop",
    companion: false,
    fence: 1,
    placed: 1,
    because: "fewest units (0)",
    ...changes,
  };
}

export function statusRecord(unit: string, changes: Partial<UnitStatus> = {}): UnitStatus {
  return {
    unit,
    hash: hashBody(unit),
    load: "loaded",
    active: "active",
    sub: "running",
    invocation: "a".repeat(32),
    health: "healthy",
    since: 1,
    restarts: 0,
    reason: "",
    addresses: [],
    steps: {},
    ...changes,
  };
}

export function operationRecord(
  id: string,
  changes: readonly Change[],
  more: Partial<Operation> = {},
): Operation {
  return {
    id,
    who: "test",
    via: "test",
    summary: `test ${changes.length}`,
    kind: "submit",
    changes: [...changes],
    impact: { affected: 0, total: 0, percent: 0, instances: 0, reversible: "exactly" },
    at: 1,
    expires: 2,
    state: "applied",
    ...more,
  };
}
