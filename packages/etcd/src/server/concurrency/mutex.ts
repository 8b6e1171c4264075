import type { ResponseHeader } from "../../proto/generated/etcdserverpb/header_pb.ts";
import { KV } from "../../proto/generated/etcdserverpb/kv_pb.ts";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import { checkWanted, type LocalClient } from "./local-client.ts";
import { createdAt, firstOf, keyOf, queueOf, sessionLease, waitForTurn } from "./queue.ts";

export interface Held {
  readonly header: ResponseHeader | undefined;
  readonly key: Buffer;
}

/**
 * Takes the lock of a name, waiting for it if need be. Who gives up waiting leaves no key behind. A lease that
 * holds the lock already gets it again.
 */
export async function lock(
  client: LocalClient,
  request: { readonly name: Uint8Array; readonly lease: bigint },
  gone: AbortSignal,
): Promise<Held> {
  checkWanted(gone);
  const lease = await sessionLease(client, request.lease);
  const queue = queueOf(request.name);
  const key = keyOf(queue, lease);
  const owner = { request: { case: "requestRange", value: firstOf(queue) } } as const;
  const entered = await client.send(KV.method.txn, {
    compare: [createdAt(key, 0n)],
    success: [{ request: { case: "requestPut", value: { key, lease } } }, owner],
    failure: [{ request: { case: "requestRange", value: { key } } }, owner],
  });
  const [mine, first] = entered.responses.map(({ response }) =>
    response.case === "responseRange" ? response.value.kvs[0] : undefined,
  );
  const revision = mine?.createRevision ?? entered.header?.revision ?? 0n;
  if (first === undefined || first.createRevision === revision) return { header: entered.header, key };
  try {
    await waitForTurn(client, { queue, revision: revision - 1n }, gone);
    const still = await client.send(KV.method.range, { key });
    if (still.kvs.length > 0) return { header: still.header, key };
  } catch (error) {
    // What cannot be deleted now goes with its lease.
    await client.send(KV.method.deleteRange, { key }).catch(() => undefined);
    throw error;
  }
  throw new EtcdError("LEASE_NOT_FOUND", "mutex: session is expired", { grpcStatus: GRPC_STATUS.UNKNOWN });
}

/** Gives a lock back, or does nothing if it is not held. */
export async function unlock(client: LocalClient, key: Uint8Array): Promise<ResponseHeader | undefined> {
  return (await client.send(KV.method.deleteRange, { key })).header;
}
