// Every decider, and the scheduler, on records that fit each other or do not: units that are gone, machines that
// nobody knows, times from another age.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { deciders } from "../../src/leader/deciders.ts";
import { keys } from "../../src/model/keys.ts";
import { operationCodec } from "../../src/model/operation.ts";
import { PlacementCache } from "../../src/model/placement/cache.ts";
import { furthestMs } from "../../src/model/record.ts";
import { recordKinds } from "../../src/model/record-kinds.ts";
import { hashBody } from "../../src/registry/body-cache.ts";
import { SnapshotBuilder } from "../../src/registry/snapshot-builder.ts";
import { schedule } from "../../src/scheduler/schedule.ts";
import { machineId, machineRecord, orderRecord, statusRecord, unitRecord } from "../registry/records.ts";

const bodies = [
  "[Service]\nExecStart=/bin/true\n",
  "[Service]\nExecStart=/bin/sleep 1\n[X-Keelson]\nMoveAfter=1\nMaxSurge=1\n",
  "[Service]\nExecStart=/bin/true\n[X-Fleet]\nGlobal=yes\n",
  "[Service]\nType=oneshot\nExecStart=/bin/true\n[X-Keelson]\nRetries=3\nRetryDelay=1s\n",
  "[Service]\nType=oneshot\nExecStart=/bin/true\n[X-Fleet]\nGlobal=yes\n",
  "[Timer]\nOnCalendar=minutely\nPersistent=yes\nUnit=b.service\n",
  "[Timer]\nOnUnitInactiveSec=1s\nOnActiveSec=1s\nUnit=a.service\nRandomizedDelaySec=1h\n",
  "[Service]\nExecStart=/bin/true\n[X-Keelson]\nRequiresUnit=b.service\nMemoryRequest=1G\nPriority=10\n[X-Fleet]\nMachineOf=a.service\n",
  "[Broken",
];
const now = Date.UTC(2026, 0, 5, 3);
const hash = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...bodies.map((body) => hashBody(body))) },
  { weight: 1, arbitrary: fc.constant("e".repeat(64)) },
);
const unitName = fc.constantFrom("a.service", "b.service", "w@.service", "t.timer", "gone.service");
const instance = fc.constantFrom(
  "a.service",
  "b.service",
  "w@1.service",
  "w@2.service",
  "t.timer",
  "gone.service",
);
const machine = fc.constantFrom(machineId(1), machineId(2), machineId(3), "", "nobody");
const moment = fc.oneof(
  fc.integer({ min: now - 3_600_000, max: now + 3_600_000 }),
  fc.constantFrom(0, -1, 0.5, 1, now, now - 1, now + 365 * 86_400_000, furthestMs, -furthestMs),
);
const int = fc.constantFrom(0, 1, 2, 19, -1, Number.MAX_SAFE_INTEGER - 1000);
const words = fc.constantFrom("", "why", "\u{1b}[31m");
const desired = fc.constantFrom("inactive", "loaded", "launched");
const maybe = <T>(it: fc.Arbitrary<T>) => fc.option(it, { nil: undefined });

const job = fc.record({
  instance,
  unit: unitName,
  machine,
  created: fc.constantFrom(1, 5),
  restarts: fc.constantFrom(0, 1),
  launched: fc.boolean(),
  runs: fc.array(
    fc.record({
      id: fc.constantFrom("r1", "r2"),
      number: int,
      cause: words,
      hash,
      attempt: int,
      failures: int,
      losses: int,
      orders: fc.constantFrom(0, 1),
      state: fc.constantFrom("waiting", "running", "succeeded", "failed"),
      machine,
      invocation: words,
      reason: words,
      status: maybe(int),
      asked: moment,
      started: moment,
      ended: moment,
      notBefore: moment,
    }),
    { maxLength: 3 },
  ),
});
const timer = fc.record({
  unit: unitName,
  target: instance,
  hash,
  created: fc.constantFrom(1, 5),
  restarts: fc.constantFrom(0, 1),
  activated: moment,
  last: moment,
  next: moment,
  due: moment,
  reason: fc.constantFrom("", "it is stopped"),
  outcome: words,
});
const rollout = fc.record({
  operation: words,
  from: hash,
  to: hash,
  state: fc.constantFrom("running", "paused", "reverting", "done", "reverted", "aborted"),
  returnable: fc.boolean(),
  updated: fc.array(instance, { maxLength: 3 }),
  batch: fc.array(instance, { maxLength: 3 }),
  others: maybe(fc.dictionary(instance, hash, { maxKeys: 2 })),
  homeless: maybe(fc.array(instance, { maxLength: 2 })),
  batchSince: moment,
  healthy: maybe(fc.record({ since: moment, runs: words })),
  reason: words,
  started: moment,
  changed: moment,
});
const versions = fc.array(
  fc.record({ number: int, hash, operation: words, who: words, at: moment, failed: maybe(words) }),
  { maxLength: 3 },
);
const move = fc.record({
  from: machine,
  to: maybe(machine),
  because: words,
  avoids: maybe(fc.dictionary(machine, moment, { maxKeys: 2 })),
  at: moment,
});
const settings = fc.record({
  cordoned: fc.boolean(),
  drain: maybe(fc.record({ since: moment, deadline: maybe(moment), reason: words })),
  metadata: fc.dictionary(fc.constantFrom("region", "__proto__", ""), words, { maxKeys: 2 }),
});
const run = fc.constantFrom("r1.0", "r1.1", "r2.0", undefined);
const order = fc.record({
  hash,
  desired,
  restarts: int,
  companion: fc.boolean(),
  placed: moment,
  takesOver: maybe(machine),
  run,
  avoids: maybe(fc.dictionary(machine, moment, { maxKeys: 2 })),
  failedHandover: maybe(fc.record({ to: machine, hash, reason: words, until: moment })),
});
const status = fc.record({
  hash,
  active: fc.constantFrom("active", "activating", "inactive", "failed", "what"),
  health: fc.constantFrom("starting", "healthy", "unhealthy", "stopped", "failed", "unknown"),
  restarts: int,
  since: moment,
  steps: fc.dictionary(fc.constantFrom("started", "active", "healthy"), moment, { maxKeys: 3 }),
  failures: maybe(fc.record({ count: int, since: moment, last: moment, nextTry: maybe(moment) })),
  run,
  ended: maybe(
    fc.record({
      at: moment,
      result: fc.constantFrom("succeeded", "failed"),
      status: maybe(int),
      givenUp: maybe(fc.boolean()),
    }),
  ),
});
const on = <T>(it: fc.Arbitrary<T>) =>
  fc.array(fc.tuple(fc.constantFrom(1, 2, 3, 9), instance, it), { maxLength: 5 });
const named = <T>(name: fc.Arbitrary<string>, it: fc.Arbitrary<T>) =>
  fc.array(fc.tuple(name, it), { maxLength: 4 });

const records = fc
  .record({
    units: named(
      unitName.filter((name) => name !== "gone.service"),
      fc.record({
        desired,
        hash,
        replicas: fc.constantFrom(0, 1, 2, 3),
        restarts: fc.constantFrom(0, 1),
        created: fc.constantFrom(1, 5),
        generation: fc.constantFrom(1, 2),
      }),
    ),
    machines: fc.subarray([1, 2, 3]),
    jobs: named(instance, job),
    timers: named(fc.constantFrom("t.timer", "gone.timer"), timer),
    rollouts: named(unitName, rollout),
    versions: named(unitName, versions),
    moves: named(instance, move),
    settings: named(
      machine.filter((id) => id !== ""),
      settings,
    ),
    orders: on(order),
    statuses: on(status),
    autoRebalance: fc.boolean(),
  })
  .map((it) => {
    const found = new Map<string, unknown>();
    const put = (key: string, record: unknown) => found.set(key, record);
    for (const number of [1, 2, 3]) {
      const { id, name, address, apiPort } = machineRecord(number);
      put(keys.member(id), { id, name, address, apiPort, joined: 1 });
      if (it.machines.includes(number)) put(keys.machine(id), machineRecord(number));
    }
    for (const [name, fields] of it.units) put(keys.unit(name), unitRecord(name, fields as object));
    for (const [name, fields] of it.jobs) put(keys.job(name), { name, ...fields });
    for (const [name, fields] of it.timers) put(keys.timer(name), { name, ...fields });
    for (const [unit, fields] of it.rollouts) put(keys.rollout(unit), { unit, ...fields });
    for (const [unit, list] of it.versions) put(keys.versions(unit), { unit, versions: list });
    for (const [name, fields] of it.moves) put(keys.move(name), { instance: name, ...fields });
    for (const [id, fields] of it.settings) put(keys.machineSettings(id), { machine: id, ...fields });
    for (const [number, unit, fields] of it.orders)
      put(keys.schedule(machineId(number), unit), orderRecord(unit, fields as object));
    for (const [number, unit, fields] of it.statuses)
      put(keys.status(machineId(number), unit), statusRecord(unit, fields as object));
    const { autoRebalance } = it;
    put(keys.clusterSettings, { autoRebalance, overcommit: { memory: 1, cpu: 100 } });
    return found;
  });

function stageOf(found: ReadonlyMap<string, unknown>) {
  const refused: string[] = [];
  const builder = new SnapshotBuilder((key, reason) => reason !== "" && refused.push(`${key}: ${reason}`));
  const encoder = new TextEncoder();
  const changes = [...found].map(([key, record]) => ({
    key,
    createRevision: 1,
    value: encoder.encode(JSON.stringify(record)),
  }));
  const snapshot = builder.reset(1, changes);
  const byHash = new Map(bodies.map((body) => [hashBody(body), body]));
  const placements = new PlacementCache((it) => byHash.get(it));
  let ids = 0;
  const newId = (): string => `id${(ids += 1)}`;
  return { builder, refused, snapshot, placements, newId };
}

describe("any records", () => {
  test("make no decider and no scheduler throw, and what is written can be read again", () => {
    fc.assert(
      fc.property(records, fc.constantFrom(now, 0, 1, furthestMs - 1), (found, wallMs) => {
        const { snapshot, refused, placements, newId } = stageOf(found);
        assert.deepEqual(refused, []);
        const nowMs = 1_000_000;
        for (const decider of deciders) {
          const {
            records: written,
            operations,
            againMs,
          } = decider.decide({
            snapshot,
            placements,
            nowMs,
            wallMs,
            newId,
          });
          assert.ok(againMs === undefined || !Number.isNaN(againMs), decider.name);
          for (const { kind, name, after } of written) {
            if (after === undefined) continue;
            const { key, codec } = recordKinds[kind];
            const bytes = new TextEncoder().encode(codec.encode(after));
            assert.doesNotThrow(() => codec.decode(key(name), bytes), decider.name);
          }
          for (const operation of operations) {
            const bytes = new TextEncoder().encode(operationCodec.encode(operation));
            assert.doesNotThrow(() => operationCodec.decode("x", bytes), decider.name);
          }
        }
        schedule(snapshot, placements, facts(nowMs, wallMs));
      }),
      { numRuns: 400 },
    );
  });

  test("come to rest: what the deciders write does not make them write for ever", () => {
    fc.assert(
      fc.property(records, (found) => {
        const stage = stageOf(found);
        const { builder, placements, newId } = stage;
        let written = 0;
        for (let look = 0; look < 40; look++) {
          written = 0;
          for (const decider of deciders) {
            const { snapshot } = builder;
            const decision = decider.decide({ snapshot, placements, nowMs: 1_000_000, wallMs: now, newId });
            const changes = [
              ...decision.records,
              ...decision.operations.flatMap(({ records: own = [] }) => own),
            ];
            const units = decision.operations.flatMap(({ changes: of }) => of);
            written += changes.length + units.length;
            builder.apply(snapshot.revision + 1, [
              ...changes.map(({ kind, name, after }) => asChange(recordKinds[kind].key(name), after)),
              ...units.map(({ unit, after }) => asChange(keys.unit(unit), after)),
            ]);
          }
          if (written === 0) return;
        }
        assert.equal(written, 0, "it goes on and on while time stands still");
      }),
      { numRuns: 400 },
    );
  });

  test("ten thousand runs are looked at in a moment", () => {
    const found = new Map<string, unknown>();
    const [body = ""] = bodies.filter((text) => text.includes("Retries"));
    found.set(keys.unit("w@.service"), unitRecord("w@.service", { hash: hashBody(body), replicas: 10_000 }));
    const { snapshot, placements, newId } = stageOf(found);
    const scene = { snapshot, placements, nowMs: 1, wallMs: now, newId };
    const counts = deciders.map((decider) => decider.decide(scene).records.length);
    assert.equal(Math.max(...counts), 10_000);
  });
});

const facts = (nowMs: number, wallMs: number) => ({
  nowMs,
  wallMs,
  continuousSinceMs: 1,
  goneSince: new Map<string, number>(),
  leaseMs: 6000,
  fence: 1,
});

function asChange(key: string, record: unknown) {
  const value = record === undefined ? undefined : new TextEncoder().encode(JSON.stringify(record));
  return { key, createRevision: 1, value };
}
