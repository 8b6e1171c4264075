// Unit files in the store, by their hash: written before what points to them, taken away long after.
import { keys, nameIn, prefixes } from "../model/keys.ts";
import type { ClusterSnapshot } from "../model/cluster.ts";
import { openRun } from "../model/job.ts";
import { maxTxnWrites } from "./orders.ts";
import { prefixEnd } from "./store-client.ts";
import type { CallOptions, StoreClient, StoredValue } from "./store-client.ts";

/** etcd takes requests of up to 1.5 MiB. */
const maxTxnBytes = 1 << 20;

/** Writes bodies, in as few transactions as fit. Writing one anew renews its modification revision. */
export async function putBodies(
  client: StoreClient,
  bodies: ReadonlyMap<string, string>,
  options: CallOptions = {},
): Promise<void> {
  let chunk: { put: string; value: string }[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (chunk.length > 0) await client.txn({ compare: [], write: chunk }, options);
    chunk = [];
    bytes = 0;
  };
  for (const [hash, body] of bodies) {
    const size = Buffer.byteLength(body);
    if (chunk.length >= maxTxnWrites || bytes + size > maxTxnBytes) await flush();
    chunk.push({ put: keys.body(hash), value: body });
    bytes += size;
  }
  await flush();
}

/** Hashes that units, their versions, orders, rollouts or operations of the snapshot point to. */
export function hashesInUse(snapshot: ClusterSnapshot): Set<string> {
  const used = new Set<string>();
  for (const unit of snapshot.units.values()) used.add(unit.hash);
  for (const { from, to, others = {} } of snapshot.rollouts.values()) {
    used.add(from).add(to);
    for (const hash of Object.values(others)) used.add(hash);
  }
  for (const job of snapshot.jobs.values()) {
    const open = openRun(job);
    if (open !== undefined) used.add(open.hash);
  }
  for (const { versions } of snapshot.versions.values()) for (const { hash } of versions) used.add(hash);
  for (const orders of snapshot.schedule.values()) for (const order of orders.values()) used.add(order.hash);
  for (const { changes } of snapshot.operations.values()) {
    for (const { before, after } of changes) {
      if (before) used.add(before.hash);
      if (after) used.add(after.hash);
    }
  }
  return used;
}

/** The hashes of all bodies, with the revision in which each was written last. */
export async function listBodies(
  client: StoreClient,
  options: CallOptions = {},
): Promise<Map<string, number>> {
  const found: StoredValue[] = [];
  let key: string = prefixes.bodies;
  for (;;) {
    const request = { key, end: prefixEnd(prefixes.bodies), keysOnly: true, limit: 5000 };
    const { values, more } = await client.range(request, options);
    found.push(...values);
    const last = values.at(-1);
    if (!more || last === undefined) break;
    key = `${last.key}\0`;
  }
  return new Map(found.map((value) => [nameIn(prefixes.bodies, value.key) ?? "", value.modRevision]));
}
