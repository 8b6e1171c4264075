import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LeaseKeeper } from "../../src/client/index.ts";
import type { EtcdClient, LeaseEvent, LeaseKeeperOptions } from "../../src/client/index.ts";
import { eventually, failsWith, sleep } from "./expect.ts";

/** A keeper with everything that it told. */
export function keep(client: EtcdClient, options: Partial<LeaseKeeperOptions> = {}) {
  const told: LeaseEvent[] = [];
  const keeper = new LeaseKeeper({ client, ttlSeconds: 2, onEvent: (event) => told.push(event), ...options });
  const granted = async () => {
    await eventually("a lease", () => keeper.lease !== undefined);
    return keeper.lease!;
  };
  return {
    told,
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
      assert.ok(left !== undefined && left.ttlSeconds >= 58 && left.ttlSeconds <= 60);
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
      const { id, ttlSeconds } = await client().grantLease(1);
      await client().put("lease/brief", "1", { lease: id });
      await sleep(ttlSeconds * 1000 + 1500);
      assert.equal(await client().get("lease/brief"), undefined);
    });

    it("are kept by a keeper, which notes the time before it asks", async () => {
      const beforeMs = performance.now();
      const { told, keeper, granted, count } = keep(client());
      await using _ = keeper;
      const lease = await granted();
      await client().put("lease/kept", "1", { lease });
      await eventually("six renewals", () => count("renewed") >= 6);
      assert.equal((await client().get("lease/kept"))?.lease, lease);
      assert.equal(count("granted"), 1);
      const times = told.map((event) => ("renewedAtMs" in event ? event.renewedAtMs : Number.NaN));
      assert.ok(times[0]! >= beforeMs);
      for (let i = 1; i < times.length; i++) {
        const gapMs = times[i]! - times[i - 1]!;
        assert.ok(gapMs > 300 && gapMs < 1200, `renewed after ${gapMs} ms`);
      }
    });

    it("are resumed by the next keeper", async () => {
      const first = keep(client(), { ttlSeconds: 30 });
      const lease = await first.granted();
      await client().put("lease/resumed", "1", { lease });
      await first.keeper[Symbol.asyncDispose]();
      const second = keep(client(), { ttlSeconds: 30, resumeLease: lease });
      assert.equal(await second.granted(), lease);
      assert.deepEqual(
        second.told.map((event) => event.type === "granted" && event.resumed),
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
        told.map((event) => event.type),
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
