// How long a reader of the history waits for it, and what is said when it does not come.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EventLog } from "../../src/api/events/event-log.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { keys } from "../../src/model/keys.ts";
import { machineCodec } from "../../src/model/machine.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";
import type { StoreClient, WatchBatch } from "../../src/registry/store-client.ts";
import { machineId, machineRecord } from "../registry/records.ts";

const signal = new AbortController().signal;

/** A log over a store with the history of eight machines, whose watch is changed by `through`. */
function logOver(
  clock: SimulatedClock,
  through: (batches: AsyncIterable<WatchBatch>, ending: AbortSignal) => AsyncIterable<WatchBatch>,
): EventLog {
  const store = new SimulatedStore(clock);
  for (let number = 1; number <= 8; number++) {
    const value = machineCodec.encode(machineRecord(number));
    store.txn({ compare: [], write: [{ put: keys.machine(machineId(number)), value }] });
  }
  const door = store.door();
  const client: StoreClient = Object.create(door, {
    range: { value: door.range.bind(door) },
    watch: {
      value: (...request: Parameters<StoreClient["watch"]>) => through(door.watch(...request), request[1]),
    },
  });
  return new EventLog({ store: client, clock, random: systemRandom, log: silentLog, idleMs: 1000 });
}

async function passing(clock: SimulatedClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await clock.advance(1000);
}

describe("the history", () => {
  test("may take its time as long as more of it comes", async () => {
    const clock = new SimulatedClock();
    await using log = logOver(clock, async function* slowly(batches, ending) {
      for await (const batch of batches) {
        for (const event of batch.events) {
          await clock.sleep(10_000, ending);
          yield { revision: event.modRevision, events: [event] };
        }
        if (batch.events.length === 0) yield batch;
      }
    });
    using _use = log.use();
    const current = log.current(signal);
    await passing(clock, 85);
    await current;
    assert.equal(log.from(0, 100).events.length, 8);
  });

  test("that cannot be read says why", async () => {
    const clock = new SimulatedClock();
    await using log = logOver(clock, async function* failing(batches, ending) {
      await clock.sleep(100, ending);
      if (!ending.aborted) throw new Error("the disk is gone");
      yield* batches;
    });
    using _use = log.use();
    const current = assert.rejects(log.current(signal), {
      code: "KEEL-401",
      message: "the store does not tell its history: the disk is gone",
    });
    await passing(clock, 16);
    await current;
  });

  test("that does not come is given up", async () => {
    const clock = new SimulatedClock();
    await using log = logOver(clock, async function* silent(batches, ending) {
      await clock.sleep(60_000, ending);
      yield* batches;
    });
    using _use = log.use();
    const current = assert.rejects(log.current(signal), {
      code: "KEEL-401",
      message: /nothing came for 15 s/,
    });
    await passing(clock, 61);
    await current;
  });

  test("read once more after a while is told from its beginning, with nothing left out", async () => {
    const clock = new SimulatedClock();
    await using log = logOver(clock, (batches) => batches);
    for (let time = 0; time < 2; time++) {
      const use = log.use();
      const current = log.current(signal);
      await passing(clock, 1);
      await current;
      const { events } = log.from(0, 100);
      assert.deepEqual([events.length, log.leftOut], [8, 0]);
      use[Symbol.dispose]();
      await passing(clock, 2);
    }
  });
});
