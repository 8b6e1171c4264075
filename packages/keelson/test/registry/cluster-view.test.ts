import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { keys, prefixes } from "../../src/model/keys.ts";
import { machineCodec, memberCodec } from "../../src/model/machine.ts";
import { scheduleCodec } from "../../src/model/schedule.ts";
import { unitCodec } from "../../src/model/unit.ts";
import { ClusterView } from "../../src/registry/cluster-view.ts";
import type { ViewScope } from "../../src/registry/cluster-view.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";
import { machineId, machineRecord, orderRecord, unitRecord } from "./records.ts";

async function stage(scope: ViewScope = "all") {
  const clock = new SimulatedClock();
  const store = new SimulatedStore(clock);
  const door = store.door();
  const unit = unitRecord("a.service");
  store.txn({ compare: [], write: [{ put: keys.unit("a.service"), value: unitCodec.encode(unit) }] });
  const view = ClusterView.open(door, { scope, log: silentLog, clock, random: seededRandom(1) });
  await clock.advance(1);
  return { clock, store, door, view, [Symbol.asyncDispose]: () => view[Symbol.asyncDispose]() };
}

const addMember = (store: SimulatedStore, number: number): void => {
  const { id, name, address, apiPort } = machineRecord(number);
  const member = memberCodec.encode({ id, name, address, apiPort, joined: 1 });
  store.txn({ compare: [], write: [{ put: keys.member(id), value: member }] });
};

describe("ClusterView", () => {
  test("shows what is there, and then each change with its keys", async () => {
    await using it = await stage();
    const { clock, store, view } = it;
    assert.equal(view.snapshot.units.get("a.service")?.desired, "launched");
    const before = view.snapshot;
    const changes: string[][] = [];
    view.onChange(({ keys }) => changes.push([...keys]));
    const order = scheduleCodec.encode(orderRecord("a.service"));
    store.txn({
      compare: [],
      write: [
        { put: keys.schedule(machineId(1), "a.service"), value: order },
        { put: keys.machine(machineId(1)), value: machineCodec.encode(machineRecord(1)) },
        { put: `${prefixes.leader}1`, value: machineId(1) },
        { put: keys.alarm("mass-failure"), value: "3 of 4 machines are gone" },
      ],
    });
    await clock.advance(1);
    assert.equal(changes.length, 1);
    assert.equal(changes[0]?.length, 4);
    assert.equal(view.snapshot.revision, store.revision);
    assert.equal(view.snapshot.leader, machineId(1));
    assert.equal(view.snapshot.alarms.get("mass-failure"), "3 of 4 machines are gone");
    assert.equal(view.snapshot.schedule.get(machineId(1))?.get("a.service")?.because, "fewest units (0)");
    assert.equal(view.snapshot.units, before.units, "what did not change is shared");
    store.txn({ compare: [], write: [{ delete: keys.schedule(machineId(1), "a.service") }] });
    await clock.advance(1);
    assert.equal(view.snapshot.schedule.size, 0);
  });

  test("leaves a damaged record out, says so, and takes it when it is sound again", async () => {
    await using it = await stage();
    const { clock, store, view } = it;
    const key = keys.unit("b.service");
    store.txn({ compare: [], write: [{ put: key, value: "{" }] });
    await clock.advance(1);
    assert.match(view.damaged.get(key) ?? "", /no unit record/);
    assert.equal(view.snapshot.units.size, 1);
    store.txn({ compare: [], write: [{ put: key, value: unitCodec.encode(unitRecord("b.service")) }] });
    await clock.advance(1);
    assert.equal(view.damaged.size, 0);
    assert.equal(view.snapshot.units.size, 2);
  });

  test("is continuous while the store is heard, and no longer when it falls silent", async () => {
    await using it = await stage();
    const { clock, door, view } = it;
    const since = view.continuousSinceMs;
    assert.ok(since !== undefined && since <= 1);
    await clock.advance(20_000);
    assert.equal(view.continuousSinceMs, since);
    door.state = "cut";
    await clock.advance(6500);
    assert.equal(view.continuousSinceMs, undefined);
    await clock.advance(30_000);
    door.state = "open";
    await clock.advance(4500);
    const again = view.continuousSinceMs ?? 0;
    assert.ok(again > 50_000 && again <= clock.now());
  });

  test("remembers since when members are gone, and forgets it when they return", async () => {
    await using it = await stage("machines");
    const { clock, store, view } = it;
    addMember(store, 1);
    const value = machineCodec.encode(machineRecord(1));
    const put = { put: keys.machine(machineId(1)), value };
    store.txn({ compare: [], write: [put] });
    await clock.advance(1000);
    assert.equal(view.goneSince.size, 0);
    store.txn({ compare: [], write: [{ delete: keys.machine(machineId(1)) }] });
    await clock.advance(0);
    const goneAt = clock.now();
    await clock.advance(5000);
    assert.equal(view.goneSince.get(machineId(1)), goneAt);
    store.txn({ compare: [], write: [put] });
    await clock.advance(1);
    assert.equal(view.goneSince.size, 0);
  });

  test("of the machines only does not see units", async () => {
    await using it = await stage("machines");
    assert.equal(it.view.snapshot.units.size, 0);
    assert.ok(it.view.isSynced);
  });

  test("waits for a revision or a predicate, and gives up with the signal", async () => {
    await using it = await stage();
    const { clock, store, view } = it;
    const next = view.waitFor(store.revision + 1);
    const never = view.waitFor(() => false, AbortSignal.abort(new Error("enough")));
    await assert.rejects(never, /enough/);
    addMember(store, 2);
    await clock.advance(1);
    assert.equal((await next).members.size, 1);
  });
});
