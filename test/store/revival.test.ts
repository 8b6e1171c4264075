// What random histories leave out because an etcd 3.5 ends on it: here it is shown that it does, and that the
// embedded server does not.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RequestOpSchema } from "../../packages/etcd/src/proto/generated/etcdserverpb/kv_pb.ts";
import { GRPC_STATUS } from "../../packages/etcd/src/errors.ts";
import { carryOut } from "./support/carry-out.ts";
import type { Request } from "./support/random-requests.ts";
import { RawClient } from "./support/raw-client.ts";
import { revivesKeys } from "./support/revival.ts";
import { embedded, etcd35, realEtcd } from "./support/servers.ts";

type Operation = MessageInitShape<typeof RequestOpSchema>;

const tools = await etcd35();
const skip = "unavailable" in tools && tools.unavailable;
const key = Buffer.from("k");
const NOT_FOUND = { refused: { code: 3, message: "etcdserver: key not found" } };

function deleting(from: string, rangeEnd: string): Operation {
  const value = { key: Buffer.from(from), rangeEnd: Buffer.from(rangeEnd) };
  return { request: { case: "requestDeleteRange", value } };
}

function putting(more: { readonly ignoreValue?: boolean; readonly ignoreLease?: boolean } = {}): Operation {
  return { request: { case: "requestPut", value: { key, ...more } } };
}

function nested(success: Operation[], failure: Operation[] = []): Operation {
  return { request: { case: "requestTxn", value: { success, failure } } };
}

/** The answers to a put, and to what follows it. */
async function answers(address: string, requests: readonly Request[]): Promise<readonly unknown[]> {
  using client = new RawClient(address);
  await carryOut(client, { kind: "put", request: { key } });
  const all: unknown[] = [];
  for (const request of requests) all.push(await carryOut(client, request));
  return all;
}

async function assertEnds(requests: readonly Request[]): Promise<void> {
  if ("unavailable" in tools) return;
  await using real = await realEtcd(tools.etcd);
  const last = (await answers(real.address, requests)).at(-1) as { refused?: { code: number } };
  assert.equal(last.refused?.code, GRPC_STATUS.UNAVAILABLE);
}

describe("a put after a delete without an end, in one transaction", () => {
  test("that keeps what was deleted is refused, and ends an etcd", { skip }, async () => {
    for (const kept of [{ ignoreValue: true }, { ignoreLease: true }]) {
      const txn = { success: [deleting("a", "\0"), putting(kept)] };
      assert.ok(revivesKeys(txn));
      await using ours = await embedded();
      assert.deepEqual(await answers(ours.address, [{ kind: "txn", request: txn }]), [NOT_FOUND]);
      await assertEnds([{ kind: "txn", request: txn }]);
    }
  });

  test("outlives a compaction to its revision, which an etcd does not", { skip }, async () => {
    const txn = { success: [deleting("a", "\0"), putting()] };
    const requests: Request[] = [
      { kind: "txn", request: txn },
      { kind: "compact", request: { revision: 3n, physical: true } },
      { kind: "range", request: { key } },
    ];
    await using ours = await embedded();
    const [, , read] = await answers(ours.address, requests);
    assert.equal((read as { count?: string }).count, "1");
    await assertEnds(requests);
  });

  test("is known wherever it stands, and nothing else is taken for it", () => {
    const all = deleting("a", "\0");
    const revives = [
      [all, putting()],
      [deleting("k", "\0"), putting()],
      [nested([all]), putting()],
      [nested([], [all]), nested([], [putting()])],
      [nested([deleting("z", "\0"), all, deleting("z", "\0"), putting()])],
    ];
    const harmless = [
      [putting(), all],
      [deleting("l", "\0"), putting()],
      [deleting("a", "z"), putting()],
      [deleting("k", ""), putting()],
      [nested([putting()], [putting()]), all],
    ];
    for (const success of revives) assert.ok(revivesKeys({ success }), JSON.stringify(success));
    for (const success of revives) assert.ok(revivesKeys({ failure: success }), JSON.stringify(success));
    for (const success of harmless) assert.ok(!revivesKeys({ success }), JSON.stringify(success));
  });
});
