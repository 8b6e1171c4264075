// Maintenance and membership: the same steps on a real etcd of one member and on the embedded server.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Cluster } from "../../packages/etcd/src/proto/generated/etcdserverpb/cluster_pb.ts";
import { KV } from "../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { Lease } from "../../packages/etcd/src/proto/generated/etcdserverpb/lease_pb.ts";
import {
  AlarmRequest_AlarmAction as Action,
  AlarmType,
  DowngradeRequest_DowngradeAction as Downgrade,
  Maintenance,
} from "../../packages/etcd/src/proto/generated/etcdserverpb/maintenance_pb.ts";
import type { RawClient } from "./support/raw-client.ts";
import { etcd35 } from "./support/servers.ts";
import { noted, SideBySide } from "./support/side-by-side.ts";

const tools = await etcd35();
const bytes = (text: string): Buffer => Buffer.from(text);
const put = (key: string) => ({ request: { case: "requestPut", value: { key: bytes(key) } } }) as const;
const remove = (key: string) =>
  ({ request: { case: "requestDeleteRange", value: { key: bytes(key) } } }) as const;

describe("maintenance is that of etcd", { skip: "unavailable" in tools && tools.unavailable }, () => {
  let pair: SideBySide;
  before(async () => {
    if (!("unavailable" in tools)) pair = await SideBySide.start(tools);
  });
  after(() => pair[Symbol.asyncDispose]());

  it("sums the history up to the same number, at every revision, through compactions", () =>
    pair.compare(async (client, note) => {
      const at = { client, note };
      const { hashKV } = Maintenance.method;
      const hashes = async (): Promise<void> => {
        for (let revision = -1n; revision < 24n; revision++) await noted(at, hashKV, { revision });
      };
      for (const key of ["a", "b", "c", "a", "d"]) {
        await client.call(KV.method.put, { key: bytes(key), value: bytes(`value of ${key}`) });
      }
      await client.call(KV.method.deleteRange, { key: bytes("b"), rangeEnd: bytes("d") });
      await client.call(KV.method.txn, { success: [put("e"), remove("a"), put("f")] });
      await hashes();
      for (const revision of [3n, 7n, 8n]) {
        await noted(at, KV.method.compact, { revision, physical: true });
        await hashes();
      }
      await client.call(KV.method.put, { key: bytes("b"), value: bytes("again") });
      await client.call(KV.method.deleteRange, { key: bytes("\0"), rangeEnd: bytes("\0") });
      await hashes();
      // At a tombstone, and behind it: then nothing at all is kept.
      await noted(at, KV.method.compact, { revision: 10n, physical: true });
      await hashes();
      await client.call(KV.method.put, { key: bytes("z") });
      await client.call(KV.method.deleteRange, { key: bytes("z") });
      await client.call(KV.method.deleteRange, { key: bytes("z") });
      await noted(at, KV.method.compact, { revision: 12n, physical: true });
      await hashes();
      await client.call(KV.method.put, { key: bytes("z") });
      await noted(at, KV.method.compact, { revision: 13n, physical: true });
      await hashes();
    }));

  it("refuses what adds keys while there is no space, and goes on with the rest", () =>
    pair.compare(async (client, note) => {
      const at = { client, note };
      const { alarm } = Maintenance.method;
      const steps = async (): Promise<void> => {
        await noted(at, KV.method.put, { key: bytes("x") });
        await noted(at, KV.method.put, {});
        await noted(at, KV.method.txn, { success: [put("x")] });
        await noted(at, KV.method.txn, { compare: [{ key: bytes("x") }], failure: [put("x")] });
        await noted(at, KV.method.txn, { success: [remove("x")] });
        await noted(at, KV.method.range, { key: bytes("x") });
        await noted(at, KV.method.deleteRange, { key: bytes("x") });
        await noted(at, Lease.method.leaseGrant, { ID: 7n, TTL: 1000n });
        await noted(at, Lease.method.leaseRevoke, { ID: 7n });
        await errors(at);
      };
      for (const memberID of [0n, 123n, 2n ** 64n - 1n]) {
        await noted(at, alarm, { action: Action.ACTIVATE, memberID, alarm: AlarmType.NOSPACE });
        await noted(at, alarm, { action: Action.ACTIVATE, memberID, alarm: AlarmType.NOSPACE });
      }
      await steps();
      for (const kind of [AlarmType.NONE, AlarmType.NOSPACE, AlarmType.CORRUPT]) {
        await raised(at, kind);
        await noted(at, alarm, { action: Action.DEACTIVATE, memberID: 123n, alarm: kind });
      }
      for (const memberID of [0n, 2n ** 64n - 1n, 0n]) {
        await noted(at, alarm, { action: Action.DEACTIVATE, memberID, alarm: AlarmType.NOSPACE });
      }
      await noted(at, alarm, { action: Action.ACTIVATE, memberID: 1n, alarm: AlarmType.NONE });
      await noted(at, alarm, {});
      await steps();
    }));

  it("touches no key while its data is doubted", () =>
    pair.compare(async (client, note) => {
      const at = { client, note };
      await client.call(Lease.method.leaseGrant, { ID: 9n, TTL: 1000n });
      await client.call(KV.method.put, { key: bytes("kept"), lease: 9n });
      const doubted = { memberID: 7n, alarm: AlarmType.CORRUPT };
      await noted(at, Maintenance.method.alarm, { ...doubted, action: Action.ACTIVATE });
      await errors(at);
      await noted(at, KV.method.put, { key: bytes("x") });
      await noted(at, KV.method.range, { key: bytes("kept") });
      await noted(at, KV.method.range, { key: bytes("kept"), serializable: true });
      await noted(at, KV.method.deleteRange, { key: bytes("kept") });
      await noted(at, KV.method.txn, {});
      await noted(at, KV.method.txn, { success: [put("x")] });
      await noted(at, KV.method.txn, { success: [remove("kept")] });
      await noted(at, KV.method.compact, { revision: 13n });
      await noted(at, Lease.method.leaseGrant, { ID: 10n, TTL: 1000n });
      await noted(at, Lease.method.leaseRevoke, { ID: 9n });
      await noted(at, Lease.method.leaseTimeToLive, { ID: 10n });
      await noted(at, Maintenance.method.hashKV, {});
      await noted(at, Maintenance.method.alarm, { ...doubted, action: Action.DEACTIVATE });
      await noted(at, Lease.method.leaseRevoke, { ID: 9n });
      await noted(at, KV.method.range, { key: bytes("kept") });
    }));

  it("hands leadership to itself only, defragments, and judges downgrades", () =>
    pair.compare(async (client, note) => {
      const at = { client, note };
      const { moveLeader, defragment, downgrade } = Maintenance.method;
      await noted(at, defragment, {});
      for (const targetID of [0n, 55n, await ownId(client)]) {
        await client.call(moveLeader, { targetID });
        await noted(at, moveLeader, { targetID });
      }
      const versions = [
        "",
        "x",
        "3.4.0",
        "3.4",
        "3.4.7",
        "3",
        "3.5.0",
        "3.3.0",
        "3.6.0",
        "v3.4.0",
        "2.4.0",
        "3.4.0-rc.1",
      ];
      for (const version of versions) await noted(at, downgrade, { action: Downgrade.VALIDATE, version });
      for (const version of ["", "x", "3.5.0", "3.3.0"]) {
        await noted(at, downgrade, { action: Downgrade.ENABLE, version });
      }
      await noted(at, downgrade, { action: Downgrade.CANCEL });
      await noted(at, downgrade, { action: 5 as Downgrade, version: "3.4.0" });
    }));

  it("checks what is asked of the membership", () =>
    pair.compare(async (client, note) => {
      const at = { client, note };
      const { memberAdd, memberPromote, memberRemove, memberUpdate } = Cluster.method;
      const own = await ownId(client);
      const wrong = [
        "",
        "x",
        "ftp://h:1",
        "http://h",
        "http://h:1/p",
        "http://",
        "http://[::1]",
        "h:1",
        "://h:1",
      ];
      for (const url of wrong) await noted(at, memberAdd, { peerURLs: [url] });
      await noted(at, memberAdd, {});
      await noted(at, memberAdd, { peerURLs: ["http://h:1", "nowhere"], isLearner: true });
      for (const ID of [0n, 1n]) {
        await noted(at, memberRemove, { ID });
        await noted(at, memberPromote, { ID });
        await noted(at, memberUpdate, { ID, peerURLs: ["http://h:1"] });
      }
      for (const peerURLs of [["x"], [], ["http://127.0.0.1:1", "http://127.0.0.1:2"]]) {
        const answer = await client.call(memberUpdate, { ID: own, peerURLs });
        note("ok" in answer ? answer.ok.members.map((member) => member.peerURLs) : answer.refused.message);
      }
      await noted(at, memberPromote, { ID: own });
      await noted(at, memberRemove, { ID: own });
    }));

  it("refuses with a reason what only several members could do", async () => {
    const { RawClient: Raw } = await import("./support/raw-client.ts");
    using client = new Raw(pair.ours.address);
    const asked = [
      await client.call(Cluster.method.memberAdd, { peerURLs: ["http://127.0.0.1:2380"] }),
      await client.call(Cluster.method.memberAdd, { peerURLs: ["unix://h:1"], isLearner: true }),
      await client.call(Maintenance.method.downgrade, { action: Downgrade.ENABLE, version: "3.4.0" }),
    ];
    for (const answer of asked) {
      assert.ok("refused" in answer);
      assert.equal(answer.refused.code, 9);
      assert.match(answer.refused.message, /the embedded server .*snapshot/);
    }
  });
});

async function ownId(client: RawClient): Promise<bigint> {
  const listed = await client.call(Cluster.method.memberList, { linearizable: true });
  assert.ok("ok" in listed && listed.ok.members[0]);
  return listed.ok.members[0].ID;
}

/** The alarms of a kind; etcd lists them in any order. */
async function raised({ client, note }: Parameters<typeof noted>[0], alarm: AlarmType): Promise<void> {
  const answer = await client.call(Maintenance.method.alarm, { action: Action.GET, memberID: 5n, alarm });
  assert.ok("ok" in answer);
  note(answer.ok.alarms.map(({ memberID, alarm: kind }) => `${memberID} ${kind}`).toSorted());
}

/** The alarms as Status words them. */
async function errors({ client, note }: Parameters<typeof noted>[0]): Promise<void> {
  const status = await client.call(Maintenance.method.status, {});
  assert.ok("ok" in status);
  note(status.ok.errors.toSorted());
}
