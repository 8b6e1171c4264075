// Every state has its reason.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { emptyCluster, type ClusterSnapshot } from "../../src/model/cluster.ts";
import type { UnitStatus } from "../../src/model/schedule.ts";
import { explainEnd } from "../../src/scheduler/reasons/exit-status.ts";
import { whyMachine } from "../../src/scheduler/reasons/why-machine.ts";
import { why } from "../../src/scheduler/reasons/why.ts";
import { idOf, type Sketch, threeMachines } from "./sketch.ts";
import { settle } from "./wishes.ts";

type Also = Partial<ClusterSnapshot>;

const reasonsOf = (cluster: Sketch, name: string, also: Also = {}): string[] => {
  const snapshot = { ...cluster.snapshot(), ...also };
  const [found] = why(snapshot, name, { placements: cluster.placements, facts: cluster.facts() });
  return found?.reasons.map(({ topic, text }) => `${topic}: ${text}`) ?? [];
};

/** a.service runs on m1; what m1 reports of it is changed. */
function reporting(changes: Partial<UnitStatus>): Sketch {
  const cluster = settle(threeMachines().unit("a.service"));
  const statuses = cluster.statuses.get(idOf("m1"));
  const status = statuses?.get("a.service");
  assert.ok(statuses && status);
  statuses.set("a.service", { ...status, ...changes });
  return cluster;
}

const operation = (at: number, desired: "launched" | "loaded" | "inactive", cluster: Sketch): Also => {
  const unit = cluster.units.get("a.service");
  assert.ok(unit);
  return {
    operations: new Map([
      [
        "op1",
        {
          id: "op1",
          who: "ada",
          via: "cli",
          summary: "stop a.service",
          kind: "set-desired",
          changes: [
            { unit: "a.service", before: { ...unit, desired: "launched" }, after: { ...unit, desired } },
          ],
          impact: { affected: 1, total: 1, percent: 100, instances: 1, reversible: "exactly" },
          at,
          expires: at,
          state: "applied",
        },
      ],
    ]),
  };
};

describe("reasons", () => {
  test("a unit that runs as asked for has none", () => {
    assert.deepEqual(reasonsOf(settle(threeMachines().unit("a.service")), "a.service"), []);
  });

  test("no machine fits", () => {
    const cluster = threeMachines().unit("a.service", "MachineMetadata=gpu=yes");
    assert.deepEqual(reasonsOf(cluster, "a.service"), ["waits: no machine fits: m1, m2, m3 has no gpu=yes"]);
  });

  test("ordered and not answered", () => {
    const cluster = threeMachines().unit("a.service");
    cluster.run();
    cluster.nowMs += 5000;
    assert.deepEqual(reasonsOf(cluster, "a.service"), [
      "order: m1 has the order for 5 s and has not carried it out yet",
    ]);
  });

  test("starting: how far it is", () => {
    const cluster = reporting({});
    const now = cluster.wallMs();
    const status = {
      active: "activating",
      health: "starting",
      steps: { received: now - 9000, image: now - 3000 },
    };
    const starting = reporting({ ...status, health: "starting" });
    assert.deepEqual(reasonsOf(starting, "a.service"), [
      "starting: it is starting on m1: its image was there 3 s ago",
    ]);
  });

  test("failed: the exit status is explained, and the last line is there", () => {
    const cluster = reporting({
      active: "failed",
      health: "failed",
      since: 0,
      reason: "exit status 203: no such file",
    });
    const [first] = reasonsOf(cluster, "a.service");
    assert.match(
      first ?? "",
      /^failed: it failed on m1 \d+ d ago: exit status 203: no such file \(the program is not there or cannot be run\)$/,
    );
  });

  test("unhealthy, and a crash loop with its next try", () => {
    const cluster = reporting({});
    const now = cluster.wallMs();
    const failures = { count: 4, since: now - 60_000, last: now - 10_000, nextTry: now + 20_000 };
    const unwell = reporting({ health: "unhealthy", reason: "GET /health: 500", failures });
    assert.deepEqual(reasonsOf(unwell, "a.service"), [
      "unhealthy: it runs on m1 and is not well: GET /health: 500",
      "crash-loop: it failed 4 times on m1 within 50 s, last 10 s ago; it is tried again in 20 s",
    ]);
  });

  test("stopped by a person: who, when, with which operation", () => {
    const cluster = settle(threeMachines().unit("a.service"));
    cluster.desire("a.service", "loaded");
    settle(cluster);
    const also = operation(cluster.wallMs() - 180_000, "loaded", cluster);
    assert.deepEqual(reasonsOf(cluster, "a.service", also), [
      'person: it is to be on a machine and not to run: ada (cli) asked for "stop a.service" 3 min ago, operation op1',
    ]);
    cluster.desire("a.service", "inactive");
    assert.deepEqual(reasonsOf(settle(cluster), "a.service"), [
      "person: it is to be nowhere: nobody has started it",
    ]);
  });

  test("its machine is lost, and the leader holds back", () => {
    const cluster = settle(threeMachines().unit("a.service").unit("b.service").unit("c.service"));
    cluster.lose("m1").lose("m2");
    const [lost, waits] = reasonsOf(cluster, "a.service");
    assert.match(lost ?? "", /^lost: m1 does not report; 2 of 3 machines vanished together/);
    assert.match(waits ?? "", /^waits: m1 does not report; 2 of 3 machines vanished together/);
  });

  test("a machine that is drained, with the reason", () => {
    const cluster = settle(threeMachines().unit("a.service", "MachineID=m1"));
    const machine = idOf("m1");
    const drain = { since: cluster.wallMs() - 5000, reason: "kernel update" };
    const machineSettings = new Map([[machine, { machine, cordoned: true, drain, metadata: {} }]]);
    const told = reasonsOf(cluster, "a.service", { machineSettings });
    assert.equal(told[0], "draining: m1 is being drained (kernel update)");
    assert.match(told[1] ?? "", /^stays: it stays for now: /);
  });

  test("rollouts: running, paused, taken back", () => {
    const cluster = settle(threeMachines().unit("a.service"));
    const unit = cluster.units.get("a.service");
    assert.ok(unit);
    const record = {
      unit: "a.service",
      operation: "op9",
      from: unit.hash,
      to: unit.hash,
      returnable: true,
      updated: ["a.service"],
      batch: [],
      batchSince: 0,
      started: 0,
      changed: cluster.wallMs() - 4000,
    };
    const told = (state: "paused" | "reverted" | "done", reason: string): string[] =>
      reasonsOf(cluster, "a.service", { rollouts: new Map([["a.service", { ...record, state, reason }]]) });
    assert.deepEqual(told("paused", "by ada"), [
      "rollout: its new version waits with 1 of 1 updated: the rollout is paused: by ada (4 s ago, operation op9)",
    ]);
    assert.match(
      told("reverted", "it failed")[0] ?? "",
      /was taken back: all have the version before: it failed/,
    );
    assert.deepEqual(told("done", ""), []);
  });

  test("timers and runs", () => {
    const cluster = settle(threeMachines().unit("a.service"));
    const now = cluster.wallMs();
    const timer = {
      name: "a.service",
      unit: "a.service",
      target: "b.service",
      hash: "0".repeat(64),
      created: 0,
      restarts: 0,
      activated: 0,
      last: now - 3_600_000 * 3,
      next: now + 60_000,
      due: now + 60_000,
      reason: "",
      outcome: "started",
    };
    assert.match(
      reasonsOf(cluster, "a.service", { timers: new Map([["a.service", timer]]) })[0] ?? "",
      /^timer: it starts b\.service in 60 s, at 2026-.* UTC; the last time 3 h ago: started$/,
    );
    const run = {
      id: "r",
      number: 3,
      cause: "start a.service",
      hash: "0".repeat(64),
      attempt: 2,
      failures: 1,
      losses: 0,
      orders: 0,
      state: "waiting" as const,
      machine: "",
      invocation: "",
      reason: "exit status 1",
      asked: 0,
      started: 0,
      ended: 0,
      notBefore: now + 30_000,
    };
    const job = {
      name: "a.service",
      instance: "a.service",
      unit: "a.service",
      machine: "",
      created: 0,
      restarts: 0,
      launched: true,
      runs: [run],
    };
    assert.deepEqual(reasonsOf(cluster, "a.service", { jobs: new Map([["a.service", job]]) }), [
      "job: run 3, attempt 2, is tried again in 30 s: exit status 1",
    ]);
  });

  test("how a process ended, explained", () => {
    assert.match(explainEnd("exit status 127") ?? "", /not found/);
    assert.match(explainEnd("killed by SIGKILL: oops") ?? "", /memory/);
    assert.equal(explainEnd("exit status 42"), undefined);
    assert.equal(explainEnd(""), undefined);
  });
});

test("of more instances than can be explained at once those in trouble come first", () => {
  const cluster = threeMachines();
  for (let n = 4; n <= 1000; n++) cluster.machine(`m${n}`);
  settle(cluster.unit("web@.service", "Conflicts=web@*.service", { replicas: 1003 }));
  const all = why(cluster.snapshot(), "web@.service", {
    placements: cluster.placements,
    facts: cluster.facts(),
  });
  assert.equal(all.length, 10);
  assert.deepEqual(
    all.slice(0, 4).map(({ on }) => on.length),
    [0, 0, 0, 1],
  );
});

describe("why a machine", () => {
  const ask = (cluster: Sketch, name: string, also: Also = {}) =>
    whyMachine({ ...cluster.snapshot(), ...also }, idOf(name), {
      placements: cluster.placements,
      facts: cluster.facts(),
    });

  test("what it has, why, what room is left, and what it refuses", () => {
    const cluster = settle(threeMachines().unit("a.service").unit("gpu.service", "MachineMetadata=gpu=yes"));
    const found = ask(cluster, "m1");
    assert.deepEqual(found?.has, [
      { instance: "a.service", because: "fewest units (0)", state: "healthy", stays: "" },
    ]);
    assert.deepEqual(found.refuses, [{ instance: "gpu.service", reason: "has no gpu=yes" }]);
    assert.match(found.reasons[0]?.text ?? "", /can still be requested$/);
  });

  test("cordoned, drained, lost, unknown", () => {
    const cluster = settle(threeMachines().unit("a.service"));
    const machine = idOf("m1");
    const record = { machine, cordoned: true, metadata: {} };
    const topics = (also: Also): string[] =>
      ask(cluster, "m1", also)?.reasons.map(({ topic }) => topic) ?? [];
    assert.deepEqual(topics({ machineSettings: new Map([[machine, record]]) }), ["cordoned", "room"]);
    const drain = { since: 0, reason: "" };
    assert.deepEqual(topics({ machineSettings: new Map([[machine, { ...record, drain }]]) }), [
      "draining",
      "room",
    ]);
    cluster.lose("m1");
    assert.deepEqual(topics({}), ["lost"]);
    assert.equal(
      whyMachine(emptyCluster, machine, { placements: cluster.placements, facts: cluster.facts() }),
      undefined,
    );
  });
});
