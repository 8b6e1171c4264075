// Locks and elections: the same steps on a real etcd and on the embedded server, every answer compared.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { KV } from "../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { Lease } from "../../packages/etcd/src/proto/generated/etcdserverpb/lease_pb.ts";
import { Election, LeaderResponseSchema } from "../../packages/etcd/src/proto/generated/v3electionpb_pb.ts";
import type { LeaderKey } from "../../packages/etcd/src/proto/generated/v3electionpb_pb.ts";
import { Lock } from "../../packages/etcd/src/proto/generated/v3lockpb_pb.ts";
import { toJson } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";
import { TcpProxy } from "../../packages/etcd/test/client/tcp-proxy.ts";
import { plain, RawClient, withoutIds } from "./support/raw-client.ts";
import { etcd35, PATIENCE_MS } from "./support/servers.ts";
import { SideBySide } from "./support/side-by-side.ts";

const tools = await etcd35();
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

describe(
  "locks and elections are those of etcd",
  { skip: "unavailable" in tools && tools.unavailable },
  () => {
    let pair: SideBySide;
    before(async () => {
      if (!("unavailable" in tools)) pair = await SideBySide.start(tools);
    });
    after(() => pair[Symbol.asyncDispose]());
    const compare: SideBySide["compare"] = (steps) => pair.compare(steps);

    it("takes, keeps, waits for and gives back a lock", () =>
      compare(async (client, note) => {
        const name = Buffer.from("lock/a");
        for (const ID of [11n, 12n, 13n]) await client.call(Lease.method.leaseGrant, { ID, TTL: 1000n });
        const first = await client.call(Lock.method.lock, { name, lease: 11n });
        note(plain(Lock.method.lock, first));
        note(plain(Lock.method.lock, await client.call(Lock.method.lock, { name, lease: 11n })));
        const second = client.start(Lock.method.lock, { name, lease: 12n });
        await keys(client, "lock/a/", 2);
        const third = client.start(Lock.method.lock, { name, lease: 13n });
        await keys(client, "lock/a/", 3);
        assert.ok("ok" in first);
        note(plain(Lock.method.unlock, await client.call(Lock.method.unlock, { key: first.ok.key })));
        note(plain(Lock.method.lock, await second.answer));
        note(await keys(client, "lock/a/", 2));
        note(plain(Lease.method.leaseRevoke, await client.call(Lease.method.leaseRevoke, { ID: 12n })));
        note(plain(Lock.method.lock, await third.answer));
        note(plain(Lock.method.unlock, await client.call(Lock.method.unlock, { key: first.ok.key })));
        note(plain(Lock.method.unlock, await client.call(Lock.method.unlock, {})));
        await client.call(Lock.method.unlock, { key: Buffer.from("lock/a/d") });
      }));

    it("leaves no key of who gave up waiting", () =>
      compare(async (client, note) => {
        const name = Buffer.from("lock/b");
        for (const ID of [21n, 22n]) await client.call(Lease.method.leaseGrant, { ID, TTL: 1000n });
        await client.call(Lock.method.lock, { name, lease: 21n });
        const waiting = client.start(Lock.method.lock, { name, lease: 22n });
        note(await keys(client, "lock/b/", 2));
        waiting.cancel();
        note(plain(Lock.method.lock, await waiting.answer));
        note(await keys(client, "lock/b/", 1));
      }));

    it("leaves no key of a client whose connection ended", () =>
      compare(async (client, note) => {
        const name = Buffer.from("lock/c");
        for (const ID of [31n, 32n, 33n]) await client.call(Lease.method.leaseGrant, { ID, TTL: 1000n });
        await client.call(Lock.method.lock, { name, lease: 31n });
        await client.call(Election.method.campaign, { name: Buffer.from("election/c"), lease: 31n });
        await using proxy = await TcpProxy.start(Number(client.address.split(":")[1]));
        using other = new RawClient(proxy.endpoint);
        void other.start(Lock.method.lock, { name, lease: 32n }).answer;
        void other.start(Election.method.campaign, { name: Buffer.from("election/c"), lease: 33n }).answer;
        note(await keys(client, "lock/c/", 2));
        note(await keys(client, "election/c/", 2));
        await proxy.refuse();
        proxy.cut();
        note(await keys(client, "lock/c/", 1));
        note(await keys(client, "election/c/", 1));
      }));

    it("refuses a lease that is not there, or is gone when the turn comes", () =>
      compare(async (client, note) => {
        const name = Buffer.from("lock/d");
        for (const lease of [404n, -1n]) {
          note(plain(Lock.method.lock, await client.call(Lock.method.lock, { name, lease })));
          note(plain(Election.method.campaign, await client.call(Election.method.campaign, { name, lease })));
        }
        for (const ID of [41n, 42n]) await client.call(Lease.method.leaseGrant, { ID, TTL: 1000n });
        await client.call(Lock.method.lock, { name, lease: 41n });
        const waiting = client.start(Lock.method.lock, { name, lease: 42n });
        await keys(client, "lock/d/", 2);
        await client.call(Lease.method.leaseRevoke, { ID: 42n });
        await client.call(Lock.method.unlock, { key: Buffer.from("lock/d/29") });
        note(plain(Lock.method.lock, await waiting.answer));
        note(await keys(client, "lock/d/", 0));
      }));

    it("grants a lease of a minute to who brings none", () =>
      compare(async (client, note) => {
        const known = await leases(client);
        const locked = await client.call(Lock.method.lock, { name: Buffer.from("lock/e") });
        assert.ok("ok" in locked);
        const [granted] = (await leases(client)).filter((id) => !known.includes(id));
        assert.equal(text(locked.ok.key), `lock/e/${granted?.toString(16)}`);
        const left = await client.call(Lease.method.leaseTimeToLive, { ID: granted ?? 0n, keys: true });
        assert.ok("ok" in left);
        note([String(left.ok.grantedTTL), left.ok.keys.length]);
        const won = await client.call(Election.method.campaign, { name: Buffer.from("election/e") });
        assert.ok("ok" in won && won.ok.leader);
        note(text(won.ok.leader.key) === `election/e/${won.ok.leader.lease.toString(16)}`);
        note(String(won.ok.leader.rev));
        for (const id of (await leases(client)).filter((id) => !known.includes(id))) {
          await client.call(Lease.method.leaseRevoke, { ID: id });
        }
      }));

    it("elects, proclaims, names and replaces a leader", () =>
      compare(async (client, note) => {
        const { campaign, proclaim, leader, resign } = Election.method;
        const name = Buffer.from("election/a");
        for (const ID of [51n, 52n]) await client.call(Lease.method.leaseGrant, { ID, TTL: 1000n });
        note(plain(leader, await client.call(leader, { name })));
        const first = await client.call(campaign, { name, lease: 51n, value: Buffer.from("one") });
        note(plain(campaign, first));
        note(plain(leader, await client.call(leader, { name })));
        // Again with the same value, and with another one.
        note(plain(campaign, await client.call(campaign, { name, lease: 51n, value: Buffer.from("one") })));
        note(plain(campaign, await client.call(campaign, { name, lease: 51n, value: Buffer.from("uno") })));
        note(plain(leader, await client.call(leader, { name })));
        const second = client.start(campaign, { name, lease: 52n, value: Buffer.from("two") });
        note(await keys(client, "election/a/", 2));
        assert.ok("ok" in first && first.ok.leader);
        const led = first.ok.leader;
        note(plain(proclaim, await client.call(proclaim, { leader: led, value: Buffer.from("eins") })));
        note(plain(leader, await client.call(leader, { name })));
        note(plain(resign, await client.call(resign, { leader: led })));
        note(plain(campaign, await second.answer));
        note(plain(leader, await client.call(leader, { name })));
        note(plain(proclaim, await client.call(proclaim, { leader: led, value: Buffer.from("no") })));
        note(plain(resign, await client.call(resign, { leader: led })));
        for (const none of [{}, { leader: {} as LeaderKey }] as const) {
          note(plain(proclaim, await client.call(proclaim, none)));
          note(plain(resign, await client.call(resign, none)));
        }
        note(plain(leader, await client.call(leader, { name: Buffer.alloc(0) })));
        const waiting = client.start(campaign, { name, lease: 51n });
        note(await keys(client, "election/a/", 2));
        waiting.cancel();
        await waiting.answer;
        note(await keys(client, "election/a/", 1));
      }));

    it("tells an observer of leaders and what they proclaim", () =>
      compare(async (client, note) => {
        const { campaign, proclaim, resign, observe } = Election.method;
        const name = Buffer.from("election/o");
        for (const ID of [61n, 62n]) await client.call(Lease.method.leaseGrant, { ID, TTL: 1000n });
        const heard: JsonValue[] = [];
        let wake = (): void => undefined;
        const stream = client.stream(observe, {
          message: (message) => {
            heard.push(withoutIds(toJson(LeaderResponseSchema, message)));
            wake();
          },
          end: () => undefined,
        });
        const told = async (count: number): Promise<void> => {
          while (heard.length < count) await new Promise<void>((resolve) => (wake = resolve));
        };
        stream.send({ name });
        // Nothing shows that the observer is there; what it hears is the same, whenever it comes to be.
        await new Promise((resolve) => setTimeout(resolve, 200));
        const first = await client.call(campaign, { name, lease: 61n, value: Buffer.from("one") });
        await told(1);
        assert.ok("ok" in first && first.ok.leader);
        await client.call(proclaim, { leader: first.ok.leader, value: Buffer.from("uno") });
        await told(2);
        const second = client.start(campaign, { name, lease: 62n, value: Buffer.from("two") });
        await keys(client, "election/o/", 2);
        await client.call(resign, { leader: first.ok.leader });
        await second.answer;
        await told(3);
        stream.cancel();
        note(heard);
      }));
  },
);

/** The keys of a queue and their values, once there are that many. */
async function keys(client: RawClient, prefix: string, count: number): Promise<JsonValue> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const end = `${prefix.slice(0, -1)}0`;
    const found = await client.call(KV.method.range, {
      key: Buffer.from(prefix),
      rangeEnd: Buffer.from(end),
    });
    if ("ok" in found && found.ok.kvs.length === count) {
      return found.ok.kvs.map(({ key, value }) => [text(key), text(value)]);
    }
    if (performance.now() > deadline)
      throw new Error(`${prefix} has ${JSON.stringify(plain(KV.method.range, found))}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function leases(client: RawClient): Promise<readonly bigint[]> {
  const answer = await client.call(Lease.method.leaseLeases, {});
  return "ok" in answer ? answer.ok.leases.map(({ ID }) => ID) : [];
}
