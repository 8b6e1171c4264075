// What only the leader writes: orders and alarms. Every transaction carries the fence, so that a deposed
// leader writes nothing.
import { KeelError } from "../base/errors.ts";
import { keys } from "../model/keys.ts";
import { scheduleCodec } from "../model/schedule.ts";
import type { ScheduleEntry } from "../model/schedule.ts";
import type { CallOptions, Compare, StoreClient, StoreWrite } from "./store-client.ts";

export type OrderWrite =
  | { readonly machine: string; readonly entry: ScheduleEntry }
  | { readonly machine: string; readonly remove: string };

/** Operations in one transaction. etcd takes 128. */
export const maxTxnWrites = 100;

/**
 * Writes orders, in transactions of at most 100, in the order given. Returns the revision of the last one
 * (0 for no orders). Rejects with KEEL-403 when the fence does not hold any more: what was written before
 * stays, nothing else was.
 */
export function writeOrders(
  client: StoreClient,
  fence: readonly Compare[],
  writes: readonly OrderWrite[],
  options: CallOptions = {},
): Promise<number> {
  return writeFenced(client, fence, writes.map(toWrite), options);
}

/** Raises an alarm in words, or takes it back (`undefined`). */
export function writeAlarm(
  client: StoreClient,
  fence: readonly Compare[],
  alarm: { readonly name: string; readonly text: string | undefined },
  options: CallOptions = {},
): Promise<number> {
  const key = keys.alarm(alarm.name);
  const write: StoreWrite = alarm.text === undefined ? { delete: key } : { put: key, value: alarm.text };
  return writeFenced(client, fence, [write], options);
}

/** Writes under a fence, in transactions of at most 100, none with one key twice. */
export async function writeFenced(
  client: StoreClient,
  fence: readonly Compare[],
  writes: readonly StoreWrite[],
  options: CallOptions = {},
): Promise<number> {
  let revision = 0;
  for (const chunk of inChunks(writes)) {
    const answer = await client.txn({ compare: fence, write: chunk }, options);
    if (!answer.succeeded) throw new KeelError("KEEL-403", "another leader was elected: nothing was written");
    revision = answer.revision;
  }
  return revision;
}

function* inChunks(writes: readonly StoreWrite[]): Generator<StoreWrite[]> {
  let chunk: StoreWrite[] = [];
  let inChunk = new Set<string>();
  for (const write of writes) {
    const key = "put" in write ? write.put : write.delete;
    if (chunk.length >= maxTxnWrites || inChunk.has(key)) {
      yield chunk;
      chunk = [];
      inChunk = new Set();
    }
    chunk.push(write);
    inChunk.add(key);
  }
  if (chunk.length > 0) yield chunk;
}

function toWrite(write: OrderWrite): StoreWrite {
  if ("remove" in write) return { delete: keys.schedule(write.machine, write.remove) };
  return { put: keys.schedule(write.machine, write.entry.unit), value: scheduleCodec.encode(write.entry) };
}
