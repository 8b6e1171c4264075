// Small clusters for the tests of this folder.
import type { Cluster, Instance, Machine, Unit } from "../src/api/records.ts";

export const machine = (name: string, changes: Partial<Machine> = {}): Machine => ({
  id: name,
  name,
  address: "10.0.0.1",
  state: "up",
  leader: false,
  since: 1,
  os: { id: "debian", version: "13", kernel: "6.12" },
  keeldVersion: "0.1.0",
  capacity: { cpus: 2, memoryBytes: 2 ** 30 },
  instances: 0,
  cordoned: false,
  drain: null,
  ...changes,
});

export const unit = (name: string, changes: Partial<Unit> = {}): Unit => ({
  name,
  desired: "launched",
  state: "healthy",
  reason: "",
  wanted: 1,
  healthy: 1,
  owner: "",
  changed: 1,
  rollout: null,
  timer: null,
  run: null,
  ...changes,
});

export const instance = (name: string, changes: Partial<Instance> = {}): Instance => ({
  key: `m1/${name}`,
  name,
  unit: name,
  machine: "m1",
  machineName: "m1",
  desired: "launched",
  state: "healthy",
  active: "active",
  sub: "running",
  since: 1,
  reason: "",
  failures: null,
  because: "",
  addresses: [],
  placed: 1,
  steps: {},
  companion: false,
  ...changes,
});

export const cluster = (changes: Partial<Cluster> = {}): Cluster => ({
  revision: 1,
  cluster: "test",
  at: 1,
  leader: { machine: "m1", name: "m1" },
  machines: [machine("m1"), machine("m2"), machine("m3")],
  units: [],
  instances: [],
  alarms: {},
  operations: [],
  ...changes,
});
