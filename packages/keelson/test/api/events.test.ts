import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import { ChangeRing } from "../../src/api/events/change-ring.ts";
import { keys } from "../../src/model/keys.ts";
import { machineId } from "../registry/records.ts";
import { eventually } from "../eventually.ts";
import { eventsOf, file, fill, runApi } from "./running-api.ts";
import type { ReceivedEvent } from "./running-api.ts";

const nextOf = async (events: AsyncGenerator<ReceivedEvent>): Promise<ReceivedEvent> => {
  const { value, done } = await events.next();
  assert.ok(!done, "the stream ended");
  return value;
};

describe("events", () => {
  test("a snapshot once, then what changed", async () => {
    await using running = await runApi();
    const { machine, order, status } = fill(running.store);
    machine(1);
    const stream = await running.open({ path: "/v1/events" });
    assert.match(stream.headers["content-type"] ?? "", /^text\/event-stream/);
    const events = eventsOf(stream);
    const first = await nextOf(events);
    assert.equal(first.event, "snapshot");
    assert.equal(first.id, running.store.revision);
    assert.equal(first.data.machines.length, 1);

    await running.operate({ kind: "submit", files: [file("a.service")], desired: "launched" });
    const second = await nextOf(events);
    assert.equal(second.event, "change");
    assert.equal(second.data.units[0].name, "a.service");
    assert.equal(second.data.machines, undefined);

    const { hash } = second.data.units[0];
    order(1, "a.service", { hash });
    status(1, "a.service", { hash, addresses: ["10.0.0.1:8080"] });
    const third = await nextOf(events);
    assert.equal(third.data.units[0].state, "healthy");
    assert.deepEqual(third.data.instances[0].addresses, ["10.0.0.1:8080"]);
    assert.deepEqual(third.data.removed.instances, ["/a.service"]);

    running.store.txn({ compare: [], write: [{ delete: keys.machine(machineId(1)) }] });
    const fourth = await nextOf(events);
    assert.equal(fourth.data.machines[0].state, "lost");
    assert.equal(fourth.data.instances[0].state, "unknown");
    stream.destroy();
  });

  test("who comes back gets what it missed, once", async () => {
    await using running = await runApi();
    const { machine } = fill(running.store);
    machine(1);
    const watching = await running.open({ path: "/v1/events" });
    const all = eventsOf(watching);
    const { id } = await nextOf(all);
    machine(2);
    await nextOf(all);
    machine(3);
    await nextOf(all);
    const stream = await running.open({ path: "/v1/events", headers: { "last-event-id": String(id) } });
    const events = eventsOf(stream);
    assert.deepEqual(
      (await nextOf(events)).data.machines.map(({ name }: { name: string }) => name),
      ["m2"],
    );
    assert.deepEqual(
      (await nextOf(events)).data.machines.map(({ name }: { name: string }) => name),
      ["m3"],
    );
    const upToDate = await running.open({ path: `/v1/events?after=${running.store.revision}` });
    const greeting = await nextOf(eventsOf(upToDate));
    assert.equal(greeting.event, "heartbeat");
    assert.equal(greeting.data.contact.hasContact, true);
    for (const open of [watching, stream, upToDate]) open.destroy();
  });

  test("who was away for too long, or comes from another time, starts afresh", async () => {
    await using running = await runApi({ viewIdleMs: 0 });
    fill(running.store).machine(1);
    for (const after of ["0", "1", "999999999"]) {
      const stream = await running.open({ path: "/v1/events", headers: { "last-event-id": after } });
      assert.equal((await nextOf(eventsOf(stream))).event, "snapshot");
      stream.destroy();
    }
  });

  test("a quiet stream shows that it lives, and how long the store was not heard", async () => {
    await using running = await runApi({ heartbeatMs: 50 });
    const stream = await running.open({ path: "/v1/events" });
    const events = eventsOf(stream);
    await nextOf(events);
    const beat = await nextOf(events);
    assert.equal(beat.event, "heartbeat");
    assert.equal(beat.data.contact.hasContact, true);
    running.store.stop();
    let seen = await nextOf(events);
    while (seen.data.contact.hasContact) seen = await nextOf(events);
    assert.ok(seen.data.contact.ageMs >= 0);
    running.store.start();
    while (seen.event !== "heartbeat" || !seen.data.contact.hasContact) seen = await nextOf(events);
    stream.destroy();
  });

  test("at most so many at a time", async () => {
    await using running = await runApi({ maxStreams: 2 });
    const streams = await Promise.all([
      running.open({ path: "/v1/events" }),
      running.open({ path: "/v1/events" }),
    ]);
    const { status, json } = await running.ask({ path: "/v1/events" });
    assert.equal(status, 413);
    assert.equal(json.error.code, "KEEL-605");
    for (const stream of streams) stream.destroy();
    const opens = async (): Promise<boolean> => {
      const again = await running.open({ path: "/v1/events" });
      again.destroy();
      return again.statusCode === 200;
    };
    await eventually("there is room again", opens);
    for (let i = 0; i < 3; i++) {
      await eventually("a question for the headers takes no stream", async () => {
        const head = await running.ask({ method: "HEAD", path: "/v1/events" });
        return head.status === 200;
      });
    }
    await eventually("there still is", opens);
  });

  test("a reader that takes nothing costs no memory: it gets what is left in one step", async () => {
    await using running = await runApi();
    const { machine } = fill(running.store);
    const socket = connect(running.api.socket);
    socket.write("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 300; i++) {
      machine(1 + (i % 40));
      if (i % 30 === 0) await new Promise((resolve) => setTimeout(resolve, 45));
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 8 << 20);
    socket.destroy();
  });

  test("property: the ring hands out exactly the changes after a revision, or says that it cannot", () => {
    const steps = fc.array(fc.record({ by: fc.integer({ min: 1, max: 4 }), shows: fc.boolean() }), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(steps, fc.nat(100), fc.integer({ min: 1, max: 8 }), (all, asked, most) => {
        const ring = new ChangeRing(10, most);
        const shown: number[] = [];
        let revision = 10;
        for (const { by, shows } of all) {
          revision += by;
          ring.push(revision, shows ? { revision, at: 0 } : undefined);
          if (shows) shown.push(revision);
        }
        const got = ring.after(asked);
        const wanted = shown.filter((it) => it > asked);
        if (asked < 10 || asked > revision) assert.equal(got, undefined);
        else if (got === undefined) assert.ok(wanted.length > most, "refused only when something is lost");
        else
          assert.deepEqual(
            got.map((it) => it.revision),
            wanted,
          );
      }),
    );
  });
});
