// A queue for a name: every contender has a key NAME/LEASE, in hexadecimal digits, and whose key was created
// first is served. As in https://pkg.go.dev/go.etcd.io/etcd/client/v3/concurrency, so that contenders of both
// kinds can stand in the same queue.

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  KV,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  type CompareSchema,
  type RangeRequestSchema,
} from "../../proto/generated/etcdserverpb/kv_pb.ts";
import { Lease } from "../../proto/generated/etcdserverpb/lease_pb.ts";
import { Event_EventType } from "../../proto/generated/mvccpb_pb.ts";
import type { LocalClient } from "./local-client.ts";

/** Seconds of the lease that a contender without one is given. Nobody renews it. */
const SESSION_TTL = 60n;

/** The contender's lease: the one that it brought, or a new one. */
export async function sessionLease(client: LocalClient, lease: bigint): Promise<bigint> {
  if (lease !== 0n) return lease;
  return (await client.send(Lease.method.leaseGrant, { TTL: SESSION_TTL })).ID;
}

/** What the keys of a queue begin with. */
export function queueOf(name: Uint8Array): Buffer {
  return Buffer.concat([name, Buffer.from("/")]);
}

export function keyOf(queue: Buffer, lease: bigint): Buffer {
  return Buffer.concat([queue, Buffer.from(lease.toString(16))]);
}

/** The key of the queue that was created first: whose turn it is. */
export function firstOf(queue: Buffer): MessageInitShape<typeof RangeRequestSchema> {
  return {
    key: queue,
    rangeEnd: endOf(queue),
    limit: 1n,
    sortOrder: RangeRequest_SortOrder.ASCEND,
    sortTarget: RangeRequest_SortTarget.CREATE,
  };
}

/** The first key behind all that begin with a queue's name and "/". */
export function endOf(queue: Buffer): Buffer {
  const end = Buffer.from(queue);
  end[end.length - 1] = "/".charCodeAt(0) + 1;
  return end;
}

export function createdAt(key: Uint8Array, revision: bigint): MessageInitShape<typeof CompareSchema> {
  return {
    key,
    target: Compare_CompareTarget.CREATE,
    result: Compare_CompareResult.EQUAL,
    targetUnion: { case: "createRevision", value: revision },
  };
}

/**
 * Waits until all keys of the queue that were created up to `revision` are gone: until it is the turn of the one
 * created next. Waits for one at a time, so that an end wakes one contender only.
 */
export async function waitForTurn(
  client: LocalClient,
  { queue, revision }: { readonly queue: Buffer; readonly revision: bigint },
  gone: AbortSignal,
): Promise<void> {
  for (;;) {
    const before = await client.send(KV.method.range, {
      key: queue,
      rangeEnd: endOf(queue),
      limit: 1n,
      sortOrder: RangeRequest_SortOrder.DESCEND,
      sortTarget: RangeRequest_SortTarget.CREATE,
      maxCreateRevision: revision,
    });
    const [predecessor] = before.kvs;
    if (predecessor === undefined) return;
    const request = { key: predecessor.key, startRevision: before.header?.revision ?? 0n };
    await client.watch(request, gone, ({ events }) =>
      events.some(({ type }) => type === Event_EventType.DELETE),
    );
  }
}
