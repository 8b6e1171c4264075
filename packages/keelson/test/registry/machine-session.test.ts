import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { SimulatedClock } from "../../src/base/simulated-clock.ts";
import { keys } from "../../src/model/keys.ts";
import { machineCodec } from "../../src/model/machine.ts";
import type { Machine } from "../../src/model/machine.ts";
import type { LeaseMemory } from "../../src/registry/lease-memory.ts";
import { MachineSession } from "../../src/registry/machine-session.ts";
import { SimulatedStore } from "../../src/registry/simulated-store.ts";
import { machineId, machineRecord, statusRecord } from "./records.ts";

class Memory implements LeaseMemory {
  text: string | undefined;
  read = () => Promise.resolve(this.text);
  write = (text: string) => {
    this.text = text;
    return Promise.resolve();
  };
}

function stage() {
  const clock = new SimulatedClock();
  const store = new SimulatedStore(clock);
  const memory = new Memory();
  const door = store.door();
  const open = (machine: Machine = machineRecord(1), from = door, kept: LeaseMemory = memory) =>
    MachineSession.open(from, { machine, memory: kept, clock, log: silentLog, random: seededRandom(1) });
  const value = (key: string) => store.values.find((stored) => stored.key === key);
  return { clock, store, door, memory, open, value };
}

describe("MachineSession", () => {
  test("registers under a lease and renews it for as long as it lives", async () => {
    const { clock, store, open, value } = stage();
    await using session = open();
    await clock.advance(60_000);
    store.expire();
    assert.notEqual(value(keys.machine(machineId(1)))?.lease, 0n);
    assert.equal(value(keys.member(machineId(1)))?.lease, 0n);
    assert.ok(clock.now() - (session.renewal?.sentAt ?? 0) <= 1600);
    assert.equal(session.renewal?.epoch, 1);
  });

  test("writes a status once, together with others, and not again when it says the same", async () => {
    const { clock, store, open, value } = stage();
    await using session = open();
    await clock.advance(100);
    const before = store.writes;
    for (let at = 0; at < 50; at++) session.report(`u${at}.service`, statusRecord(`u${at}.service`));
    await clock.advance(100);
    assert.equal(store.writes, before + 1);
    session.report("u1.service", statusRecord("u1.service"));
    await clock.advance(100);
    assert.equal(store.writes, before + 1);
    session.report("u1.service", undefined);
    await clock.advance(100);
    assert.equal(value(keys.status(machineId(1), "u1.service")), undefined);
  });

  test("a restarted daemon goes on with its lease, and nothing vanishes in between", async () => {
    const { clock, store, open, value } = stage();
    const first = open();
    first.report("a.service", statusRecord("a.service"));
    first.report("b.service", statusRecord("b.service"));
    await clock.advance(1000);
    const lease = value(keys.machine(machineId(1)))?.lease;
    await first[Symbol.asyncDispose]();
    const writes = store.writes;
    await clock.advance(3000);
    await using second = open();
    second.report("a.service", statusRecord("a.service"));
    await clock.advance(200);
    assert.equal(value(keys.machine(machineId(1)))?.lease, lease);
    assert.ok(value(keys.status(machineId(1), "b.service")));
    second.retainOnly(new Set(["a.service"]));
    await clock.advance(200);
    assert.equal(value(keys.status(machineId(1), "b.service")), undefined);
    assert.ok(store.writes - writes <= 3);
  });

  test("a lease that ran out is replaced, and everything reported is there again", async () => {
    const { clock, store, door, open, value } = stage();
    await using session = open();
    session.report("a.service", statusRecord("a.service"));
    await clock.advance(1000);
    door.state = "cut";
    await clock.advance(20_000);
    store.expire();
    assert.equal(value(keys.machine(machineId(1))), undefined);
    door.state = "open";
    await clock.advance(3000);
    assert.ok(value(keys.status(machineId(1), "a.service")));
    assert.equal(session.renewal?.epoch, 2);
  });

  test("takes the record over from its own earlier registration, statuses included", async () => {
    const { clock, store, open, value } = stage();
    const first = open();
    first.report("a.service", statusRecord("a.service"));
    await clock.advance(500);
    await first[Symbol.asyncDispose]();
    await using second = open(machineRecord(1), store.door(), new Memory());
    second.report("a.service", statusRecord("a.service"));
    await clock.advance(500);
    const lease = value(keys.machine(machineId(1)))?.lease;
    assert.equal(value(keys.status(machineId(1), "a.service"))?.lease, lease);
    await clock.advance(20_000);
    store.expire();
    assert.ok(value(keys.status(machineId(1), "a.service")));
  });

  test("a copy with the same machine id is refused while the first lives", async () => {
    const { clock, store, open, value } = stage();
    await using first = open();
    await clock.advance(500);
    const copy = machineRecord(1, { address: "10.0.0.99", bootId: "other" });
    await using second = open(copy, store.door(), new Memory());
    await clock.advance(10_000);
    assert.match(second.problem, /another machine with the machine id/);
    const stored = value(keys.machine(machineId(1)));
    assert.equal(stored && machineCodec.decode(stored.key, stored.value).address, "10.0.0.1");
    await first.leave();
    await clock.advance(3000);
    assert.equal(second.problem, "");
  });

  test("leaving takes the machine away at once", async () => {
    const { clock, open, value, memory } = stage();
    const session = open();
    await clock.advance(500);
    await session.leave();
    assert.equal(value(keys.machine(machineId(1))), undefined);
    assert.ok(value(keys.member(machineId(1))));
    assert.equal(memory.text, "");
  });
});
