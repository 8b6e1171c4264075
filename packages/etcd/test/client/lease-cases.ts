import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LeaseKeeper } from "../../src/client/index.ts";
import type { EtcdClient, LeaseEvent, LeaseKeeperOptions } from "../../src/client/index.ts";
import { surroundings } from "../../src/client/surroundings.ts";
import { eventually, failsWith } from "./expect.ts";

const TTL_SECONDS = 60;
const PAUSE_MS = 100;

/**
 * A keeper with everything that it told. Its pauses are cut short, so that it renews often a lease that lasts
 * longer than any test.
 */
export function keep(client: EtcdClient, options: Partial<LeaseKeeperOptions> = {}) {
  const told: LeaseEvent[] = [];
  const pauses: number[] = [];
  const { clock: real } = surroundings({});
  const clock = {
    ...real,
    sleep(ms: number, signal?: AbortSignal) {
      pauses.push(ms);
      return real.sleep(Math.min(ms, PAUSE_MS), signal);
    },
  };
  const onEvent = (event: LeaseEvent) => told.push(event);
  const keeper = new LeaseKeeper({ client, ttlSeconds: TTL_SECONDS, onEvent, clock, ...options });
  const granted = async () => {
    await eventually("a lease", () => keeper.lease !== undefined);
    return keeper.lease!;
  };
  return {
    told,
    pauses,
    keeper,
    granted,
    count: (type: LeaseEvent["type"]) => told.filter((e) => e.type === type).length,
  };
}

/** Leases while nothing goes wrong with the network. */
export function leaseCases(client: () => EtcdClient): void {
  describe("leases", { concurrency: true }, () => {
    it("are granted, renewed, asked about and revoked", async () => {
      const { id, ttlSeconds } = await client().grantLease(60);
      assert.ok(id !== 0n);
      assert.equal(ttlSeconds, 60);
      await client().put("lease/a", "1", { lease: id });
      assert.equal((await client().get("lease/a"))?.lease, id);
      assert.equal((await client().keepAliveOnce(id)).ttlSeconds, 60);
      const left = await client().leaseTimeToLive(id, { keys: true });
      assert.ok(left !== undefined && left.ttlSeconds > 0 && left.ttlSeconds <= 60);
      assert.equal(left.grantedTtlSeconds, 60);
      assert.deepEqual(left.keys, ["lease/a"]);
      await client().revokeLease(id);
      assert.equal(await client().get("lease/a"), undefined);
      assert.equal(await client().leaseTimeToLive(id), undefined);
      await failsWith("LEASE_NOT_FOUND", client().keepAliveOnce(id));
      await failsWith("LEASE_NOT_FOUND", client().revokeLease(id));
    });

    it("take an id, once", async () => {
      assert.equal((await client().grantLease(60, 4711n)).id, 4711n);
      await failsWith("LEASE_EXISTS", client().grantLease(60, 4711n));
      await failsWith("INVALID_ARGUMENT", client().grantLease(0));
      await client().revokeLease(4711n);
    });

    it("end when nobody renews them", async () => {
      const { id } = await client().grantLease(5);
      await client().put("lease/brief", "1", { lease: id });
      await eventually("its key goes", async () => (await client().get("lease/brief")) === undefined);
      assert.equal(await client().leaseTimeToLive(id), undefined);
    });

    it("are kept by a keeper, which asks four times in a lease and notes the time before it does", async () => {
      const beforeMs = performance.now();
      const { told, pauses, keeper, granted, count } = keep(client());
      await using _ = keeper;
      const lease = await granted();
      await client().put("lease/kept", "1", { lease });
      await eventually("six renewals", () => count("renewed") >= 6);
      assert.equal((await client().get("lease/kept"))?.lease, lease);
      assert.equal(count("granted"), 1);
      assert.ok(pauses.length >= 6);
      assert.ok(pauses.every((ms) => ms <= (TTL_SECONDS * 1000) / 4));
      const times = told.flatMap((event) => ("renewedAtMs" in event ? [event.renewedAtMs] : []));
      assert.ok(times[0]! >= beforeMs);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
    });

    it("are resumed by the next keeper", async () => {
      const first = keep(client());
      await using _ = first.keeper;
      const lease = await first.granted();
      await client().put("lease/resumed", "1", { lease });
      await first.keeper[Symbol.asyncDispose]();
      const second = keep(client(), { resumeLease: lease });
      await using __ = second.keeper;
      assert.equal(await second.granted(), lease);
      assert.deepEqual(
        second.told.flatMap((event) => (event.type === "granted" ? [event.resumed] : [])),
        [true],
      );
      assert.equal((await client().get("lease/resumed"))?.lease, lease);
      await second.keeper.revoke();
      assert.equal(await client().get("lease/resumed"), undefined);
    });

    it("are replaced when they are lost", async () => {
      const { told, keeper, granted } = keep(client(), { resumeLease: 987_654_321n });
      await using _ = keeper;
      const lease = await granted();
      assert.deepEqual(
        told.map((event) => event.type).filter((type) => type === "lost" || type === "granted"),
        ["lost", "granted"],
      );
      await client().revokeLease(lease);
      await eventually("the next lease", () => told.filter((event) => event.type === "granted").length === 2);
      assert.notEqual(keeper.lease, lease);
      const lost = told.filter((event) => event.type === "lost").at(-1);
      assert.equal(lost?.lease, lease);
    });
  });
}
