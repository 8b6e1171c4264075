// Leases that run out, on a real etcd and on the embedded server.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { KV } from "../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { Lease } from "../../packages/etcd/src/proto/generated/etcdserverpb/lease_pb.ts";
import { etcd35 } from "./support/servers.ts";
import { noted, SideBySide } from "./support/side-by-side.ts";
import { Watching } from "./support/watching.ts";

const tools = await etcd35();
const LEASES = 30;

describe("leases are those of etcd", { skip: "unavailable" in tools && tools.unavailable }, () => {
  let pair: SideBySide;
  before(async () => {
    if (!("unavailable" in tools)) pair = await SideBySide.start(tools);
  });
  after(() => pair[Symbol.asyncDispose]());

  it("bounds what is asked, and lists them in the order in which they run out", () =>
    pair.compare(async (client, note) => {
      const at = { client, note };
      const { leaseGrant, leaseLeases, leaseTimeToLive, leaseRevoke } = Lease.method;
      for (const TTL of [-(2n ** 63n), -1n, 0n, 1n, 2n, 3n, 9_000_000_000n, 9_000_000_001n, 2n ** 63n - 1n]) {
        await noted(at, leaseGrant, { ID: 5n, TTL });
        await noted(at, leaseGrant, { ID: 5n, TTL });
        await noted(at, leaseRevoke, { ID: 5n });
      }
      const ttls = [300n, 100n, 500n, 200n, 400n];
      for (const [place, TTL] of ttls.entries())
        await noted(at, leaseGrant, { ID: BigInt(place - 2) || 99n, TTL });
      await noted(at, leaseLeases, {});
      await noted(at, leaseTimeToLive, { ID: 404n, keys: true });
      for (const ID of [-2n, -1n, 99n, 1n, 2n, 404n]) await noted(at, leaseRevoke, { ID });
      await noted(at, leaseLeases, {});
    }));

  it("ends many, each with its keys in one revision", () =>
    pair.compare(async (client, note) => {
      const watching = new Watching(client);
      watching.create({ key: Buffer.from("many/"), rangeEnd: Buffer.from("many0") });
      await watching.until(() => watching.controls() === 1);
      for (let place = 0; place < LEASES; place++) {
        const ID = 1000n + BigInt(place);
        await client.call(Lease.method.leaseGrant, { ID, TTL: 5n });
        for (const name of ["c", "a", "b"]) {
          await client.call(KV.method.put, { key: Buffer.from(`many/${place}/${name}`), lease: ID });
        }
      }
      const deletions = () =>
        watching.responses.flatMap(({ events }) => events).filter(({ type }) => type === 1);
      await watching.until(() => deletions().length === 3 * LEASES);
      watching.close();
      // Which of those that run out at once goes first is chance with etcd; what goes together is not.
      const together = new Map<bigint, string[]>();
      for (const { kv } of deletions()) {
        assert.ok(kv);
        const keys = together.get(kv.modRevision) ?? [];
        together.set(kv.modRevision, [...keys, Buffer.from(kv.key).toString()]);
      }
      note([...together.values()].map((keys) => keys.join(" ")).toSorted());
      await noted({ client, note }, Lease.method.leaseLeases, {});
    }));
});
