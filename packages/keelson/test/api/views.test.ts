import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { pulledStream } from "../../src/api/events/pulled-stream.ts";
import { changeBetween } from "../../src/api/views/change-event.ts";
import { ClusterProjection } from "../../src/api/views/cluster-projection.ts";
import type { PlacementFacts } from "../../src/api/views/cluster-projection.ts";
import type { ChangeEvent, SnapshotView } from "../../src/api/wire/snapshot.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { type ClusterSnapshot, emptyCluster } from "../../src/model/cluster.ts";
import type { Machine, Member } from "../../src/model/machine.ts";
import { healthStates } from "../../src/model/schedule.ts";
import type { ScheduleEntry, UnitStatus } from "../../src/model/schedule.ts";
import type { Unit } from "../../src/model/unit.ts";
import { machineId, machineRecord, orderRecord, statusRecord, unitRecord } from "../registry/records.ts";

const names = ["a.service", "b.service", "web@1.service", "web@2.service", "web@.service"];

/** A cluster of three machines that a test changes step by step. */
class Cluster {
  readonly machines = new Map<string, Machine>();
  readonly members = new Map<string, Member>();
  readonly units = new Map<string, Unit>();
  readonly schedule = new Map<string, Map<string, ScheduleEntry>>();
  readonly statuses = new Map<string, Map<string, UnitStatus>>();
  readonly alarms = new Map<string, string>();
  revision = 1;

  snapshot(): ClusterSnapshot {
    const nested = <T>(of: Map<string, Map<string, T>>): Map<string, Map<string, T>> =>
      new Map([...of].map(([key, inner]) => [key, new Map(inner)]));
    return {
      ...emptyCluster,
      revision: this.revision,
      machines: new Map(this.machines),
      members: new Map(this.members),
      units: new Map(this.units),
      schedule: nested(this.schedule),
      statuses: nested(this.statuses),
      operations: new Map(),
      images: new Map(),
      leader: this.machines.keys().next().value,
      alarms: new Map(this.alarms),
    };
  }
}

type Step = (cluster: Cluster) => void;

const on = fc.integer({ min: 1, max: 3 });
const name = fc.constantFrom(...names);
const inner = <T>(of: Map<string, Map<string, T>>, key: string): Map<string, T> => {
  const known = of.get(key) ?? new Map<string, T>();
  of.set(key, known);
  return known;
};
const step: fc.Arbitrary<Step> = fc.oneof(
  on.map((n): Step => (it) => {
    it.machines.set(machineId(n), machineRecord(n));
    it.members.set(machineId(n), { id: machineId(n), name: `m${n}`, address: "", apiPort: 1, joined: 1 });
  }),
  on.map(
    (n): Step =>
      (it) =>
        void it.machines.delete(machineId(n)),
  ),
  name.map(
    (unit): Step =>
      (it) =>
        void it.units.set(unit, unitRecord(unit, { replicas: unit.includes("@.") ? 2 : 0 })),
  ),
  name.map(
    (unit): Step =>
      (it) =>
        void it.units.delete(unit),
  ),
  fc.tuple(on, name).map(
    ([n, unit]): Step =>
      (it) =>
        void inner(it.schedule, machineId(n)).set(unit, orderRecord(unit)),
  ),
  fc.tuple(on, name).map(
    ([n, unit]): Step =>
      (it) =>
        void inner(it.schedule, machineId(n)).delete(unit),
  ),
  fc.tuple(on, name, fc.constantFrom(...healthStates)).map(
    ([n, unit, health]): Step =>
      (it) =>
        void inner(it.statuses, machineId(n)).set(unit, statusRecord(unit, { health })),
  ),
  fc.tuple(on, name).map(
    ([n, unit]): Step =>
      (it) =>
        void inner(it.statuses, machineId(n)).delete(unit),
  ),
  fc.boolean().map(
    (stands): Step =>
      (it) =>
        void (stands ? it.alarms.set("x", "y") : it.alarms.delete("x")),
  ),
);

const facts = (snapshot: ClusterSnapshot): PlacementFacts => ({
  wanted: (unit) => (snapshot.units.has(unit) ? 1 : 0),
  requested: () => ({ memoryBytes: snapshot.units.size, cpus: 1 }),
  unenforced: (instance) => (instance.startsWith("c") ? ["memory"] : []),
  waiting: new Map(
    [...snapshot.units.keys()]
      .filter((unit) => unit.startsWith("b"))
      .map((unit) => [unit, { unit, reason: "no machine" }]),
  ),
});

/** What a reader makes of a change. */
function apply(view: SnapshotView, change: ChangeEvent): SnapshotView {
  const merge = <T>(
    before: readonly T[],
    changed: readonly T[] = [],
    removed: readonly string[] = [],
    keyOf: (item: T) => string,
  ): T[] => {
    const items = new Map(before.map((item) => [keyOf(item), item]));
    for (const key of removed) items.delete(key);
    for (const item of changed) items.set(keyOf(item), item);
    return [...items.values()];
  };
  return {
    ...view,
    revision: change.revision,
    at: change.at,
    machines: merge(view.machines, change.machines, change.removed?.machines, ({ id }) => id),
    units: merge(view.units, change.units, change.removed?.units, (it) => it.name),
    instances: merge(view.instances, change.instances, change.removed?.instances, ({ key }) => key),
    leader: change.leader === undefined ? view.leader : change.leader,
    alarms: change.alarms ?? view.alarms,
    operations: change.operations ?? view.operations,
  };
}

const unordered = (view: SnapshotView): unknown => ({
  ...view,
  machines: new Map(view.machines.map((it) => [it.id, it])),
  units: new Map(view.units.map((it) => [it.name, it])),
  instances: new Map(view.instances.map((it) => [it.key, it])),
});

describe("views", () => {
  test("property: who applies every change sees what a fresh snapshot shows", () => {
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 12 }), (batches) => {
        const cluster = new Cluster();
        const projection = new ClusterProjection("test");
        let before = projection.view(cluster.snapshot(), facts(cluster.snapshot()), 0);
        let followed = before;
        for (const batch of batches) {
          cluster.revision++;
          for (const change of batch) change(cluster);
          const snapshot = cluster.snapshot();
          const after = projection.view(snapshot, facts(snapshot), cluster.revision);
          const change = changeBetween(before, after);
          if (change) followed = apply(followed, change);
          assert.deepEqual(
            unordered({ ...followed, revision: 0, at: 0 }),
            unordered({ ...after, revision: 0, at: 0 }),
          );
          const fresh = new ClusterProjection("test").view(snapshot, facts(snapshot), cluster.revision);
          assert.deepEqual(after, fresh, "what is remembered is what would be made anew");
          before = after;
        }
      }),
      { numRuns: 150 },
    );
  });

  test("what did not change is the same object, and nothing is told of it", () => {
    const cluster = new Cluster();
    cluster.machines.set(machineId(1), machineRecord(1));
    cluster.units.set("a.service", unitRecord("a.service"));
    inner(cluster.schedule, machineId(1)).set("a.service", orderRecord("a.service"));
    const projection = new ClusterProjection("test");
    const first = projection.view(cluster.snapshot(), facts(cluster.snapshot()), 0);
    cluster.revision++;
    const second = projection.view(cluster.snapshot(), facts(cluster.snapshot()), 1);
    assert.equal(second.instances[0], first.instances[0]);
    assert.equal(changeBetween(first, second), undefined);
  });
});

describe("pulled streams", () => {
  const stuckMs = 30_000;
  const make = (next: (signal: AbortSignal) => Promise<string | undefined>) => {
    const clock = new SimulatedClock();
    const said: string[] = [];
    const ending = new AbortController();
    const stream = pulledStream({
      next,
      clock,
      stuckMs,
      drop: () => said.push("dropped"),
      ended: () => said.push("ended"),
      signal: ending.signal,
    });
    return { clock, said, ending, reader: stream.getReader() };
  };

  test("a reader that takes nothing more is dropped, once", async () => {
    let asked = 0;
    const { clock, said, reader } = make(() => Promise.resolve(`piece ${asked++}`));
    await reader.read();
    await clock.advance(stuckMs - 1);
    assert.deepEqual(said, []);
    assert.equal(asked, 1, "nothing is made before it is asked for");
    await clock.advance(1);
    assert.deepEqual(said, ["ended", "dropped"]);
    await reader.cancel();
    assert.deepEqual(said, ["ended", "dropped"]);
  });

  test("it ends with its last piece, with its reader, and with the api", async () => {
    const pieces = ["a"];
    const whole = make(() => Promise.resolve(pieces.shift()));
    await whole.reader.read();
    assert.equal((await whole.reader.read()).done, true);
    assert.deepEqual(whole.said, ["ended"]);

    const left = make(waitForever);
    await left.reader.cancel();
    assert.deepEqual(left.said, ["ended"]);

    const closed = make(waitForever);
    const reading = closed.reader.read();
    closed.ending.abort(new Error("closing"));
    assert.equal((await reading).done, true);
    assert.deepEqual(closed.said, ["ended"]);
  });

  test("a failure ends it as a failure", async () => {
    const { said, reader } = make(() => Promise.reject(new Error("broken")));
    await assert.rejects(reader.read(), /broken/);
    assert.deepEqual(said, ["ended"]);
  });
});

function waitForever(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
  );
}
