// Writes into a store what machines and the leader of a small cluster would write.
import { keys } from "../../packages/keelson/src/model/keys.ts";
import { machineCodec, memberCodec } from "../../packages/keelson/src/model/machine.ts";
import { machineSettingsCodec } from "../../packages/keelson/src/model/machine-settings.ts";
import { operationCodec } from "../../packages/keelson/src/model/operation.ts";
import { rolloutCodec } from "../../packages/keelson/src/model/rollout.ts";
import type { Rollout } from "../../packages/keelson/src/model/rollout.ts";
import { scheduleCodec, statusCodec } from "../../packages/keelson/src/model/schedule.ts";
import type { UnitStatus } from "../../packages/keelson/src/model/schedule.ts";
import { unitCodec } from "../../packages/keelson/src/model/unit.ts";
import { systemReportCodec } from "../../packages/keelson/src/model/system-update.ts";
import type { SystemReport } from "../../packages/keelson/src/model/system-update.ts";
import type { Unit } from "../../packages/keelson/src/model/unit.ts";
import { putBodies } from "../../packages/keelson/src/registry/bodies.ts";
import { hashBody } from "../../packages/keelson/src/registry/body-cache.ts";
import type { StoreClient } from "../../packages/keelson/src/registry/store-client.ts";

const machineId = (number: number): string => number.toString(16).padStart(32, "0");
const minutesAgo = (minutes: number): number => Date.now() - minutes * 60_000;

export class ClusterRecords {
  readonly #store: StoreClient;

  constructor(store: StoreClient) {
    this.#store = store;
  }

  async machine(number: number): Promise<void> {
    const id = machineId(number);
    const known = { id, name: `m${number}`, address: `10.77.0.${10 + number}`, apiPort: 2390 };
    await this.#put(keys.member(id), memberCodec.encode({ ...known, joined: minutesAgo(190) }));
    const machine = {
      ...known,
      bootId: `boot-${number}`,
      metadata: { zone: number === 1 ? "a" : "b" },
      capacity: { cpus: 2, memoryBytes: 4 * 2 ** 30, unenforced: [] },
      os: { id: "debian", version: "13", kernel: "6.12.48" },
      keeldVersion: "0.1.0",
      since: minutesAgo(187),
      leaseSeconds: 6,
    };
    await this.#put(keys.machine(id), machineCodec.encode(machine));
  }

  /** What a machine with two slots says of its system. */
  async system(
    number: number,
    report: Omit<SystemReport, "machine" | "bootId" | "variant" | "keepsStore">,
  ): Promise<void> {
    const machine = machineId(number);
    const whole = { ...report, machine, bootId: `boot-${number}`, variant: "vm", keepsStore: true };
    await this.#put(keys.systemReport(machine), systemReportCodec.encode(whole));
  }

  /** The machine's lease has run out. */
  async loseMachine(number: number): Promise<void> {
    const id = machineId(number);
    const statuses = keys.statusOf(id);
    const write = [{ delete: keys.machine(id) }, { delete: statuses, end: `${statuses.slice(0, -1)}0` }];
    await this.#store.txn({ compare: [], write });
  }

  async leader(number: number): Promise<void> {
    await this.#put("/keelson/leader/1", machineId(number));
  }

  /** What a person has said of the machine: a drain, or nothing any more. */
  async drain(number: number, reason: string): Promise<void> {
    const machine = machineId(number);
    const settings = { machine, cordoned: true, drain: { since: Date.now(), reason }, metadata: {} };
    await this.#put(keys.machineSettings(machine), machineSettingsCodec.encode(settings));
  }

  async rollout(unit: string, state: Rollout["state"], updated: string[], reason = ""): Promise<void> {
    const hash = hashBody("x");
    const record: Rollout = {
      unit,
      operation: "01jd0000000000b2",
      from: hash,
      to: hash,
      state,
      returnable: true,
      updated,
      batch: updated,
      batchSince: minutesAgo(2),
      reason,
      started: minutesAgo(3),
      changed: minutesAgo(1),
    };
    await this.#put(keys.rollout(unit), rolloutCodec.encode(record));
  }

  async alarm(name: string, words: string): Promise<void> {
    await this.#put(keys.alarm(name), words);
  }

  async unit(
    name: string,
    changes: Partial<Unit> = {},
    body = "[Service]\nExecStart=/bin/true\n",
  ): Promise<void> {
    const hash = hashBody(body);
    await putBodies(this.#store, new Map([[hash, body]]));
    const unit = {
      name,
      desired: "launched",
      hash,
      replicas: 0,
      restarts: 0,
      generation: 1,
      owner: "ada",
      created: minutesAgo(42),
      changed: minutesAgo(42),
      ...changes,
    } as const;
    await this.#put(keys.unit(name), unitCodec.encode({ ...unit }));
  }

  async instance(
    name: string,
    on: number,
    changes: Partial<UnitStatus> = {},
    body = "[Service]\nExecStart=/bin/true\n",
  ): Promise<void> {
    const hash = hashBody(body);
    const placed = minutesAgo(41);
    const order = {
      unit: name,
      hash,
      desired: "launched",
      restarts: 0,
      onPartition: "stop",
      companion: false,
      fence: 1,
      placed,
      because: "fewest units",
    } as const;
    await this.#put(keys.schedule(machineId(on), name), scheduleCodec.encode({ ...order }));
    const status = {
      unit: name,
      hash,
      load: "loaded",
      active: "active",
      sub: "running",
      invocation: "a".repeat(32),
      health: "healthy",
      since: placed + 420,
      restarts: 0,
      reason: "",
      addresses: [],
      steps: { received: placed + 12, written: placed + 31, started: placed + 90, active: placed + 420 },
      ...changes,
    } as const;
    await this.#put(
      keys.status(machineId(on), name),
      statusCodec.encode({ ...status, addresses: [...status.addresses] }),
    );
  }

  async operation(id: string, summary: string, minutes: number): Promise<void> {
    const hash = hashBody("x");
    const unit = {
      name: "web@.container",
      desired: "launched",
      hash,
      replicas: 3,
      restarts: 0,
      generation: 1,
      owner: "ada",
      created: 1,
      changed: 1,
    } as const;
    const operation = {
      id,
      who: "ada",
      via: "cli",
      summary,
      kind: "submit",
      changes: [{ unit: unit.name, after: { ...unit } }],
      impact: { affected: 0, total: 3, percent: 0, instances: 0, reversible: "exactly" },
      at: minutesAgo(minutes),
      expires: Date.now() + 72 * 3_600_000,
      state: "applied",
    } as const;
    await this.#put(
      keys.operation(id),
      operationCodec.encode({ ...operation, changes: [...operation.changes] }),
    );
  }

  /** Three machines, a web server of three replicas, a database and a timer. */
  async smallCluster(): Promise<void> {
    for (const number of [1, 2, 3]) await this.machine(number);
    await this.leader(1);
    await this.unit("web@.container", { replicas: 3 });
    for (const number of [1, 2, 3]) {
      await this.instance(`web@${number}.container`, number, { addresses: [`10.77.0.${10 + number}:8080`] });
    }
    await this.unit("db.container");
    await this.instance("db.container", 2, { addresses: ["10.77.0.12:5432"] });
    await this.unit("backup.timer");
    await this.instance("backup.timer", 3, { sub: "waiting" });
    await this.unit("report.service", { desired: "inactive" });
    await this.operation("01jd0000000000a1", "start web@.container with 3 replicas", 42);
    await this.operation("01jd0000000000b2", "start db.container", 41);
  }

  async #put(key: string, value: string): Promise<void> {
    await this.#store.txn({ compare: [], write: [{ put: key, value }] });
  }
}
