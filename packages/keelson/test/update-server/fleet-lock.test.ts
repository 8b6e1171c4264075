import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { fleetLockRoutes } from "../../src/update-server/fleet-lock.ts";
import { RebootLock } from "../../src/update-server/reboot-lock.ts";
import { running, TestEntries } from "./endpoint-support.ts";

const two = { slots: 2, expirySeconds: 60 };

describe("turns to restart", () => {
  test("never more than the slots, and the same from entries and snapshots, whatever happens", () => {
    const step = fc.record({
      does: fc.constantFrom("lock", "unlock"),
      group: fc.constantFrom("a", "b"),
      id: fc.constantFrom("1", "2", "3", "4"),
      later: fc.integer({ min: 0, max: 90_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const [lock, folded] = [new RebootLock(), new RebootLock()];
        let nowMs = 0;
        for (const { does, group, id, later } of steps) {
          nowMs += later;
          const before = lock.holders(group);
          const answer = does === "lock" ? lock.lock(group, id, { ...two, nowMs }) : undefined;
          const entries = answer?.entries ?? lock.unlock(group, id, nowMs);
          for (const entry of entries) folded.apply(entry);
          assert.ok(lock.holders(group).length <= 2);
          if (before.some((holder) => holder.id === id)) assert.notEqual(answer?.granted, false);
          // Nobody loses a turn but by giving it back or by its age.
          for (const holder of before)
            if (holder.askedMs + 60_000 > nowMs && (does === "lock" || holder.id !== id))
              assert.ok(lock.holders(group).some((one) => one.id === holder.id));
        }
        const restored = new RebootLock();
        for (const part of lock.snapshot()) restored.restore(part);
        for (const group of ["a", "b"]) {
          assert.deepEqual(folded.holders(group), lock.holders(group));
          assert.deepEqual(restored.holders(group), lock.holders(group));
        }
      }),
    );
  });

  test("without an expiry a holder stays until it is let go", () => {
    const lock = new RebootLock();
    const one = { slots: 1, expirySeconds: 0 };
    assert.ok(lock.lock("a", "1", { ...one, nowMs: 0 }).granted);
    const refused = lock.lock("a", "2", { ...one, nowMs: 1e12 });
    assert.deepEqual(refused, {
      granted: false,
      entries: [],
      holders: [{ id: "1", sinceMs: 0, askedMs: 0 }],
    });
    assert.equal(lock.unlock("a", "2", 1).length, 0);
    assert.equal(lock.unlock("a", "1", 1).length, 1);
    assert.ok(lock.lock("a", "2", { ...one, nowMs: 2 }).granted);
  });
});

describe("FleetLock", () => {
  const start = async () => {
    const lock = new RebootLock();
    const entries = new TestEntries();
    const group = (name: string) => (name === "default" ? { slots: 1, expirySeconds: 0 } : undefined);
    const routes = fleetLockRoutes({ lock, entries, group, clock: systemClock, log: silentLog });
    const it = await running({ routes });
    const send = async (
      path: string,
      body: unknown,
      headers: Record<string, string> = { "fleet-lock-protocol": "true" },
    ) => {
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const response = await fetch(it.url + path, { method: "POST", body: text, headers });
      const answer = await response.text();
      const kind = answer === "" ? undefined : (JSON.parse(answer) as { kind: string; value: string });
      return { status: response.status, ...kind };
    };
    return { lock, entries, send, [Symbol.asyncDispose]: () => it[Symbol.asyncDispose]() };
  };
  const client = (id: unknown, group: unknown = "default") => ({ client_params: { group, id } });

  test("a turn is taken, kept when asked for again, refused to others, and given back", async () => {
    await using it = await start();
    assert.equal((await it.send("/v1/pre-reboot", client("m1"))).status, 200);
    assert.equal((await it.send("/v1/pre-reboot/", client("m1"))).status, 200);
    const refused = await it.send("/v1/pre-reboot", client("m2"));
    assert.deepEqual(refused, { status: 409, kind: "failed_lock", value: "1 of 1 slots are taken, by m1" });
    assert.equal((await it.send("/v1/steady-state", client("m2"))).status, 200);
    assert.equal((await it.send("/v1/steady-state", client("m1"))).status, 200);
    assert.equal((await it.send("/v1/pre-reboot", client("m2"))).status, 200);
    assert.ok(it.entries.written.length >= 3);
  });

  test("nothing is given that is not on the disk", async () => {
    await using it = await start();
    it.entries.sync = () => Promise.reject(new Error("no space left on device"));
    assert.equal((await it.send("/v1/pre-reboot", client("m1"))).status, 503);
    it.entries.isWritable = false;
    assert.equal((await it.send("/v1/pre-reboot", client("m2"))).kind, "failed_lock");
    assert.deepEqual(
      it.lock.holders("default").map(({ id }) => id),
      ["m1"],
    );
  });

  test("garbage is refused with its kind", async () => {
    await using it = await start();
    for (const [body, kind] of [
      ["", "invalid_request"],
      ["null", "invalid_request"],
      ["[]", "invalid_request"],
      [{ client_params: 1 }, "invalid_request"],
      [client(""), "invalid_request"],
      [client("a b"), "invalid_request"],
      [client({}), "invalid_request"],
      [client("m1", "a/b"), "invalid_request"],
      [client("m1", "other"), "unknown_group"],
    ] as const) {
      const answer = await it.send("/v1/pre-reboot", body);
      assert.equal(answer.status, 400);
      assert.equal(answer.kind, kind, JSON.stringify(body));
    }
    assert.equal((await it.send("/v1/pre-reboot", client("m1"), {})).status, 400);
    assert.equal((await it.send("/v1/pre-reboot", " ".repeat(5000))).status, 413);
    assert.equal((await it.send("/v1/pre-reboot/more", client("m1"))).status, 404);
    assert.deepEqual(it.lock.groups, []);
  });
});
