import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { keys } from "../../src/model/keys.ts";
import { campaign } from "../../src/registry/leadership.ts";
import { writeAlarm, writeOrders } from "../../src/registry/orders.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";
import type { SimulatedDoor } from "../../src/registry/simulated-store.ts";
import { machineId, orderRecord } from "./records.ts";

function stage() {
  const clock = new SimulatedClock();
  const store = new SimulatedStore(clock);
  const stop = new AbortController();
  const run = (number: number, door: SimulatedDoor = store.door()) =>
    campaign(door, {
      machine: machineId(number),
      leaseSeconds: 4,
      clock,
      log: silentLog,
      random: seededRandom(number),
      signal: stop.signal,
    });
  return { clock, store, run, stop };
}

describe("campaign", () => {
  test("one leads; when it resigns the next one does", async () => {
    const { clock, run, stop } = stage();
    const first = run(1);
    await clock.advance(10);
    const leader = await first;
    const second = run(2);
    let won = false;
    void second.then(() => (won = true));
    await clock.advance(30_000);
    assert.equal(won, false);
    assert.equal(leader.over.aborted, false);
    await leader.resign();
    await clock.advance(10);
    assert.ok(leader.over.aborted);
    assert.ok((await second).revision > leader.revision);
    stop.abort();
    await clock.advance(1);
  });

  test("a leader that is cut off knows that it is over before another one leads, and its fence holds", async () => {
    const { clock, store, run, stop } = stage();
    const door = store.door();
    const first = run(1, door);
    await clock.advance(10);
    const leader = await first;
    const second = run(2);
    let wonAt = 0;
    void second.then(() => (wonAt = clock.now()));
    let overAt = 0;
    leader.over.addEventListener("abort", () => (overAt = clock.now()));
    door.state = "cut";
    for (let at = 0; at < 100; at++) {
      await clock.advance(100);
      store.expire();
    }
    assert.ok(overAt > 0 && wonAt > 0 && overAt < wonAt, `${overAt} ${wonAt}`);
    door.state = "open";
    const write = writeOrders(door, leader.fence, [
      { machine: machineId(1), entry: orderRecord("a.service") },
    ]);
    await assert.rejects(write, (error) => error instanceof KeelError && error.code === "KEEL-403");
    const winner = await second;
    await writeOrders(door, winner.fence, [{ machine: machineId(1), entry: orderRecord("a.service") }]);
    await writeAlarm(door, winner.fence, { name: "mass-failure", text: "two of three" });
    assert.ok(store.values.some(({ key }) => key === keys.alarm("mass-failure")));
    stop.abort();
    await clock.advance(1);
  });
});
