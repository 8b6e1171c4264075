import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import type { ResponseHeader } from "../../proto/generated/etcdserverpb/header_pb.ts";
import { KV } from "../../proto/generated/etcdserverpb/kv_pb.ts";
import { Event_EventType, type KeyValue } from "../../proto/generated/mvccpb_pb.ts";
import { checkWanted, type LocalClient } from "./local-client.ts";
import { createdAt, endOf, firstOf, keyOf, queueOf, sessionLease, waitForTurn } from "./queue.ts";

/** What shows that somebody leads: valid while `key` exists with creation revision `rev`. */
export interface Leadership {
  readonly name: Uint8Array;
  readonly key: Uint8Array;
  readonly rev: bigint;
  readonly lease: bigint;
}

export interface Led {
  readonly header: ResponseHeader | undefined;
  readonly kv: KeyValue;
}

/** Waits until the caller leads. Who gives up waiting leaves no key behind. */
export async function campaign(
  client: LocalClient,
  request: { readonly name: Uint8Array; readonly lease: bigint; readonly value: Uint8Array },
  gone: AbortSignal,
): Promise<{ readonly header: ResponseHeader | undefined; readonly leader: Leadership }> {
  checkWanted(gone);
  const { name, value } = request;
  const lease = await sessionLease(client, request.lease);
  const queue = queueOf(name);
  const key = keyOf(queue, lease);
  const { header, succeeded, responses } = await client.send(KV.method.txn, {
    compare: [createdAt(key, 0n)],
    success: [{ request: { case: "requestPut", value: { key, value, lease } } }],
    failure: [{ request: { case: "requestRange", value: { key } } }],
  });
  const response = responses[0]?.response;
  const mine = response?.case === "responseRange" ? response.value.kvs[0] : undefined;
  const leader: Leadership = { name, key, rev: mine?.createRevision ?? header?.revision ?? 0n, lease };
  // This lease stands for election already: with another value, it now stands with this one.
  if (!succeeded && Buffer.compare(mine?.value ?? value, value) !== 0) await proclaim(client, leader, value);
  try {
    await waitForTurn(client, { queue, revision: leader.rev - 1n }, gone);
  } catch (error) {
    // etcd clears up after a caller that went away only; after its own failure a key would stay in the queue.
    await resign(client, leader).catch(() => undefined);
    throw error;
  }
  return { header, leader };
}

/** Changes the leader's value. */
export async function proclaim(
  client: LocalClient,
  { key, rev, lease }: Leadership,
  value: Uint8Array,
): Promise<ResponseHeader | undefined> {
  const { header, succeeded } = await client.send(KV.method.txn, {
    compare: [createdAt(key, rev)],
    success: [{ request: { case: "requestPut", value: { key, value, lease } } }],
  });
  if (!succeeded) throw refusal("election: not leader");
  return header;
}

/** Steps down, or does nothing if the caller does not lead. */
export async function resign(
  client: LocalClient,
  { key, rev }: Leadership,
): Promise<ResponseHeader | undefined> {
  const { header } = await client.send(KV.method.txn, {
    compare: [createdAt(key, rev)],
    success: [{ request: { case: "requestDeleteRange", value: { key } } }],
  });
  return header;
}

export async function leaderOf(client: LocalClient, name: Uint8Array): Promise<Led> {
  const { header, kvs } = await client.send(KV.method.range, firstOf(queueOf(name)));
  const [kv] = kvs;
  if (kv === undefined) throw refusal("election: no leader");
  return { header, kv };
}

/** Tells of every leader, and of every value that one proclaims, until `gone` fires or a watch is lost. */
export async function observe(
  client: LocalClient,
  { name, gone }: { readonly name: Uint8Array; readonly gone: AbortSignal },
  tell: (led: Led) => void,
): Promise<void> {
  const queue = queueOf(name);
  while (!gone.aborted) {
    const found = await client.send(KV.method.range, firstOf(queue));
    const now = found.header?.revision ?? 0n;
    const [leader] = found.kvs;
    const led =
      leader === undefined
        ? await firstPut(client, { queue, now }, gone)
        : { header: found.header, kv: leader };
    tell(led);
    const request = { key: led.kv.key, startRevision: (led.header?.revision ?? 0n) + 1n };
    await client.watch(request, gone, ({ header, events }) => {
      for (const { type, kv } of events) {
        if (type === Event_EventType.DELETE) return true;
        if (kv !== undefined) tell({ header, kv });
      }
      return false;
    });
  }
}

/** The first key that appears in an empty queue, under the revision at which it did. */
async function firstPut(
  client: LocalClient,
  { queue, now }: { readonly queue: Buffer; readonly now: bigint },
  gone: AbortSignal,
): Promise<Led> {
  let led: Led | undefined;
  const request = { key: queue, rangeEnd: endOf(queue), startRevision: now };
  await client.watch(request, gone, ({ header, events }) => {
    const kv = events.find(({ type }) => type === Event_EventType.PUT)?.kv;
    if (kv === undefined || header === undefined) return false;
    led = { header: { ...header, revision: kv.modRevision }, kv };
    return true;
  });
  if (led === undefined) throw refusal("election: no leader");
  return led;
}

export function missingLeader(): EtcdError {
  return refusal('"leader" field must be provided');
}

function refusal(message: string): EtcdError {
  return new EtcdError("NO_LEADER", message, { grpcStatus: GRPC_STATUS.UNKNOWN });
}
