// Updates of the machines' system, decided on simulated machines that write, restart, fail and vanish by chance.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { emptyCluster, type ClusterSnapshot } from "../../src/model/cluster.ts";
import type { Machine, Member } from "../../src/model/machine.ts";
import type { MachineSettings } from "../../src/model/machine-settings.ts";
import type { SystemOrder, SystemReport, SystemUpdate } from "../../src/model/system-update.ts";
import { systemUpdateDecider } from "../../src/rollout/system-update/decider.ts";
import { isUnderWay } from "../../src/rollout/system-update/step.ts";

const id = (number: number): string => String(number).padStart(32, "0");

interface Fate {
  /** What happens when the new version starts there: it comes up, it goes back, it never returns. */
  readonly restart: "good" | "back" | "lost";
  readonly stage: "good" | "bad";
  readonly member: boolean;
}

/** A cluster of machines that carry out system orders, step by step. */
class Cluster {
  snapshot: ClusterSnapshot;
  wallMs = 1_000_000;
  readonly fates: readonly Fate[];
  readonly restarts: string[] = [];
  mostUnderWay = 0;
  twoMembers = false;

  constructor(fates: readonly Fate[], update: Partial<SystemUpdate> = {}) {
    this.fates = fates;
    const machines = new Map<string, Machine>();
    const members = new Map<string, Member>();
    const reports = new Map<string, SystemReport>();
    for (const [index, { member }] of fates.entries()) {
      machines.set(id(index), machineOf(index, 1));
      members.set(id(index), { id: id(index), name: `m${index}`, address: "", apiPort: 0, joined: 0 });
      reports.set(id(index), reportOf(index, { version: "1.0.0", boot: 1, keepsStore: member }));
    }
    const systemUpdate: SystemUpdate = {
      id: "u1",
      to: "1.1.0",
      source: "http://releases",
      atOnce: 1,
      state: "running",
      reason: "",
      machines: fates.map((_, index) => id(index)),
      steps: {},
      started: 0,
      changed: 0,
      ...update,
    };
    this.snapshot = { ...emptyCluster, machines, members, systemReports: reports, systemUpdate };
  }

  /** One look of the leader, and what the machines make of it. True when anything changed. */
  look(): boolean {
    this.wallMs += 1000;
    const decision = systemUpdateDecider.decide({
      snapshot: this.snapshot,
      placements: { rulesOf: () => "missing" },
      nowMs: this.wallMs,
      wallMs: this.wallMs,
      newId: () => "x",
    });
    for (const { kind, name, after } of decision.records) {
      if (kind === "system-update") this.snapshot = { ...this.snapshot, systemUpdate: after as SystemUpdate };
      else if (kind === "system-order") this.#put("systemOrders", name, after as SystemOrder | undefined);
      else if (kind === "machine-settings")
        this.#put("machineSettings", name, after as MachineSettings | undefined);
    }
    const under = this.steps().filter(([, step]) => isUnderWay(step));
    this.mostUnderWay = Math.max(this.mostUnderWay, under.length);
    const members = under.filter(([machine]) => this.fates[Number(machine)]?.member === true);
    this.twoMembers ||= members.length > 1;
    for (const [machine, order] of this.snapshot.systemOrders) this.#carryOut(Number(machine), order);
    return decision.records.length > 0;
  }

  steps() {
    return Object.entries(this.snapshot.systemUpdate?.steps ?? {});
  }

  settle(looks = 400): void {
    for (let quiet = 0; looks > 0 && quiet < 10; looks--) quiet = this.look() ? 0 : quiet + 1;
  }

  lose(index: number): void {
    this.#put("machines", id(index), undefined);
  }

  #carryOut(index: number, order: SystemOrder): void {
    const fate = this.fates[index];
    const report = this.snapshot.systemReports.get(id(index));
    const machine = this.snapshot.machines.get(id(index));
    if (fate === undefined || report === undefined || machine === undefined) return;
    if (order.action === "stage") {
      const state = fate.stage === "good" ? "done" : "failed";
      const reason = state === "done" ? "" : "the slot cannot be written";
      const done = { update: order.update, action: order.action, state, reason } as const;
      this.#put("systemReports", id(index), { ...report, next: "1.1.0", order: done });
      return;
    }
    if (order.action === "cancel") {
      const { next: _, ...rest } = report;
      return this.#put("systemReports", id(index), rest);
    }
    if (report.bootId !== order.bootId) return;
    assert.ok(this.snapshot.machineSettings.get(id(index))?.drain, "restarted without a drain");
    this.restarts.push(id(index));
    if (fate.restart === "lost") return this.lose(index);
    const version = fate.restart === "good" ? "1.1.0" : "1.0.0";
    const failed =
      fate.restart === "good" ? [] : [{ version: "1.1.0", reason: "keeld did not come up", at: 1 }];
    this.#put("machines", id(index), { ...machineOf(index, 2), since: this.wallMs });
    this.#put("systemReports", id(index), {
      ...reportOf(index, { version, boot: 2, keepsStore: fate.member }),
      failed,
    });
  }

  #put(
    place: "machines" | "machineSettings" | "systemOrders" | "systemReports",
    name: string,
    value: unknown,
  ): void {
    const map = new Map<string, unknown>(this.snapshot[place]);
    if (value === undefined) map.delete(name);
    else map.set(name, value);
    this.snapshot = { ...this.snapshot, [place]: map };
  }
}

function machineOf(index: number, boot: number): Machine {
  return {
    id: id(index),
    name: `m${index}`,
    address: "",
    apiPort: 0,
    bootId: `boot-${boot}`,
    metadata: {},
    capacity: { cpus: 1, memoryBytes: 1, unenforced: [] },
    os: { id: "keelson", version: "1.0.0", kernel: "" },
    keeldVersion: "1.0.0",
    since: 0,
    leaseSeconds: 6,
  };
}

function reportOf(
  index: number,
  {
    version,
    boot,
    keepsStore,
  }: { readonly version: string; readonly boot: number; readonly keepsStore: boolean },
): SystemReport {
  return {
    machine: id(index),
    bootId: `boot-${boot}`,
    version,
    variant: "vm",
    slot: "a",
    keepsStore,
    onTrial: false,
    failed: [],
  };
}

const good: Fate = { restart: "good", stage: "good", member: false };

describe("updates of the machines' system", () => {
  test("every machine gets it, one after the other, and is in service again", () => {
    const cluster = new Cluster([good, good, good]);
    cluster.settle();
    assert.equal(cluster.snapshot.systemUpdate?.state, "done");
    assert.deepEqual(cluster.restarts, [id(0), id(1), id(2)]);
    assert.equal(cluster.mostUnderWay, 1);
    assert.equal(cluster.snapshot.machineSettings.size, 0);
    assert.equal(cluster.snapshot.systemOrders.size, 0);
  });

  test("one that goes back halts those behind it, says why, and is in service again", () => {
    const cluster = new Cluster([good, { ...good, restart: "back" }, good]);
    cluster.settle();
    const update = cluster.snapshot.systemUpdate;
    assert.equal(update?.state, "halted");
    assert.equal(update?.reason, "m1 went back to 1.0.0: keeld did not come up");
    assert.deepEqual(cluster.restarts, [id(0), id(1)]);
    assert.equal(cluster.snapshot.machineSettings.size, 0);
  });

  test("one that does not return stays out of service, and nobody follows it", () => {
    const cluster = new Cluster([{ ...good, restart: "lost" }, good]);
    cluster.settle();
    cluster.wallMs += 46 * 60_000;
    cluster.settle();
    assert.equal(cluster.snapshot.systemUpdate?.state, "halted");
    assert.deepEqual(cluster.restarts, [id(0)]);
  });

  test("a machine that is away holds the turns of all others", () => {
    const cluster = new Cluster([good, good]);
    cluster.lose(1);
    cluster.settle();
    assert.deepEqual(cluster.restarts, []);
    assert.equal(cluster.snapshot.systemUpdate?.reason, "waits for m1, which is away");
  });

  test("what a person cordoned stays cordoned", () => {
    const cluster = new Cluster([good]);
    const cordoned = { machine: id(0), cordoned: true, metadata: {} };
    cluster.snapshot = { ...cluster.snapshot, machineSettings: new Map([[id(0), cordoned]]) };
    cluster.settle();
    assert.deepEqual(cluster.snapshot.machineSettings.get(id(0)), cordoned);
  });

  test("one that was removed from the cluster is out of it, and holds nobody up", () => {
    const cluster = new Cluster([good, good]);
    cluster.look();
    const members = new Map(cluster.snapshot.members);
    members.delete(id(0));
    cluster.snapshot = { ...cluster.snapshot, members };
    cluster.lose(0);
    cluster.settle();
    const { state, machines } = cluster.snapshot.systemUpdate ?? {};
    assert.deepEqual([state, machines], ["done", [id(1)]]);
    assert.deepEqual(cluster.restarts, [id(1)]);
  });

  test("given up, it sees through who was restarting, and nobody else's turn comes", () => {
    const cluster = new Cluster([good, good]);
    while (!cluster.steps().some(([, { name }]) => name === "restarting")) cluster.look();
    const update = cluster.snapshot.systemUpdate ?? assert.fail();
    cluster.snapshot = { ...cluster.snapshot, systemUpdate: { ...update, state: "aborted" } };
    cluster.settle();
    assert.deepEqual(cluster.restarts, [id(0)]);
    assert.equal(cluster.snapshot.systemUpdate?.steps[id(0)]?.name, "done");
    assert.equal(cluster.snapshot.systemUpdate?.state, "aborted");
    assert.deepEqual([cluster.snapshot.machineSettings.size, cluster.snapshot.systemOrders.size], [0, 0]);
    // What the other one had written is not to start.
    assert.equal(cluster.snapshot.systemUpdate?.steps[id(1)]?.name, "waiting");
    assert.equal(cluster.snapshot.systemReports.get(id(1))?.next, undefined);
  });

  const fates = fc.array(
    fc.record({
      restart: fc.constantFrom("good", "good", "good", "back", "lost"),
      stage: fc.constantFrom("good", "good", "good", "bad"),
      member: fc.boolean(),
    }) as fc.Arbitrary<Fate>,
    { minLength: 1, maxLength: 8 },
  );
  test("never more at once than allowed, never two members of the store, and always an end", () => {
    fc.assert(
      fc.property(fates, fc.integer({ min: 1, max: 4 }), (all, atOnce) => {
        const cluster = new Cluster(all, { atOnce });
        cluster.settle();
        cluster.wallMs += 61 * 60_000;
        cluster.settle();
        assert.ok(cluster.mostUnderWay <= atOnce);
        assert.equal(cluster.twoMembers, false);
        const { state, reason } = cluster.snapshot.systemUpdate ?? {};
        const isGood = all.every(({ restart, stage }) => restart === "good" && stage === "good");
        assert.equal(state, isGood ? "done" : "halted");
        if (!isGood) assert.match(reason ?? "", /^m\d /);
      }),
      { numRuns: 300 },
    );
  });
});
