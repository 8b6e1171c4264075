// What happened in the cluster, read again from the store's own history: the cluster as it was at the oldest
// revision that can still be read, and each revision since. The API tells events and their causes from it.
// Nothing is written for it: how far back it goes is the store's affair.
import type { ClusterSnapshot } from "../model/cluster.ts";
import { prefixes, root } from "../model/keys.ts";
import { SnapshotBuilder } from "./snapshot-builder.ts";
import { oldestRevisionOf, prefixEnd } from "./store-client.ts";
import type { StoreClient, StoredValue, StoreEvent } from "./store-client.ts";

const span = { key: prefixEnd(prefixes.bodies), end: prefixEnd(root) };
const pageSize = 2000;
const askProgressMs = 50;
/** Revisions that are told at once. */
const mostSteps = 100;
/** How often the beginning is looked for anew when the store drops it meanwhile. */
const attempts = 5;

/** One revision. */
export interface HistoryStep {
  readonly revision: number;
  /** The keys that it changed. */
  readonly keys: readonly string[];
  readonly before: ClusterSnapshot;
  readonly after: ClusterSnapshot;
}

/** What has been read so far. */
export interface HistoryBatch {
  /** The revision that the history begins behind; what was before is not known. */
  readonly since: number;
  readonly steps: readonly HistoryStep[];
  /** Everything up to now has been told; what comes from here on happens as it is told. */
  readonly isCurrent: boolean;
}

export interface HistoryOptions {
  /** At most so many revisions are read; the newest ones. */
  readonly mostRevisions: number;
  readonly signal: AbortSignal;
}

/** Goes on with what happens until the signal aborts. Rejects as a watch does. */
export async function* readHistory(
  store: StoreClient,
  options: HistoryOptions,
): AsyncGenerator<HistoryBatch, void, void> {
  const { signal } = options;
  const { since, values } = await readBeginning(store, options);
  const builder = new SnapshotBuilder(() => undefined);
  builder.reset(since, values);
  const caught = new AbortController();
  let from = since + 1;
  const past = store.watch({ ...span, from, askProgressMs }, AbortSignal.any([signal, caught.signal]));
  for await (const { revision, events } of past) {
    from = revision + 1;
    for (const steps of inPieces(stepsOf(builder, events, revision)))
      yield { since, steps, isCurrent: false };
    if (events.length > 0) continue;
    caught.abort();
    break;
  }
  if (signal.aborted) return;
  yield { since, steps: [], isCurrent: true };
  for await (const { revision, events } of store.watch({ ...span, from }, signal)) {
    for (const steps of inPieces(stepsOf(builder, events, revision))) yield { since, steps, isCurrent: true };
  }
}

function* inPieces(steps: Iterable<HistoryStep>): Generator<HistoryStep[]> {
  let piece: HistoryStep[] = [];
  for (const step of steps) {
    piece.push(step);
    if (piece.length < mostSteps) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}

function* stepsOf(
  builder: SnapshotBuilder,
  events: readonly StoreEvent[],
  last: number,
): Generator<HistoryStep> {
  const byRevision = new Map<number, StoreEvent[]>();
  for (const event of events) {
    const revision = Math.min(event.modRevision, last);
    const some = byRevision.get(revision);
    if (some === undefined) byRevision.set(revision, [event]);
    else some.push(event);
  }
  for (const [revision, changes] of byRevision) {
    const before = builder.snapshot;
    const after = builder.apply(
      revision,
      changes.map(({ type, key, value, createRevision }) => ({
        key,
        createRevision,
        value: type === "delete" ? undefined : value,
      })),
    );
    yield { revision, keys: changes.map(({ key }) => key), before, after };
  }
}

/** The cluster at the oldest revision that is to be had. */
async function readBeginning(
  store: StoreClient,
  { mostRevisions, signal }: HistoryOptions,
): Promise<{ since: number; values: StoredValue[] }> {
  const { revision: newest } = await store.range({ ...span, limit: 1, keysOnly: true }, { signal });
  let since = Math.max(1, newest - mostRevisions);
  for (let attempt = 1; ; attempt++) {
    try {
      return { since, values: await readAt(store, since, signal) };
    } catch (error) {
      if (attempt >= attempts || signal.aborted) throw error;
      const oldest = oldestRevisionOf(error) ?? (await findOldest(store, since, { error, signal }));
      since = Math.max(since + 1, oldest);
    }
  }
}

/** A range that comes too late does not say where the history begins; a watch does. */
async function findOldest(
  store: StoreClient,
  since: number,
  { error, signal }: { readonly error: unknown; readonly signal: AbortSignal },
): Promise<number> {
  const ending = new AbortController();
  const until = AbortSignal.any([signal, ending.signal]);
  try {
    for await (const _batch of store.watch({ ...span, from: since, askProgressMs }, until)) ending.abort();
  } catch (refusal) {
    const oldest = oldestRevisionOf(refusal);
    if (oldest !== undefined) return oldest;
    throw refusal;
  }
  throw error;
}

async function readAt(store: StoreClient, revision: number, signal: AbortSignal): Promise<StoredValue[]> {
  const values: StoredValue[] = [];
  let { key } = span;
  for (;;) {
    const page = await store.range({ ...span, key, revision, limit: pageSize }, { signal });
    values.push(...page.values);
    const last = page.values.at(-1);
    if (!page.more || last === undefined) return values;
    key = `${last.key}\0`;
  }
}
