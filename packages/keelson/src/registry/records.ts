// Writing records beside units: each only when it is still what its change says that it was.
import { KeelError } from "../base/errors.ts";
import { type RecordChange, recordKinds, sameRecord } from "../model/record-kinds.ts";
import { maxTxnWrites } from "./orders.ts";
import type { CallOptions, Compare, StoreClient, StoreWrite } from "./store-client.ts";

/** Most records that are written in one transaction. */
export const mostRecords = 60;
const attempts = 5;

export interface RecordWrites {
  readonly compare: readonly Compare[];
  readonly write: readonly StoreWrite[];
}

/**
 * The writes of these changes with what they compare. Rejects with KEEL-403 when a record is not what `before`
 * says any more, with KEEL-605 for more than 60.
 */
export async function readRecords(
  client: StoreClient,
  changes: readonly RecordChange[],
  options: CallOptions = {},
): Promise<RecordWrites> {
  if (changes.length > mostRecords)
    throw new KeelError(
      "KEEL-605",
      `the operation changes ${changes.length} records, more than ${mostRecords}`,
    );
  const current = await readCurrent(client, changes, options);
  const other = changes.find((change) => !isCurrent(change, current));
  if (other !== undefined) {
    throw new KeelError("KEEL-403", `${keyOf(other)}: changed by another since the plan was made`, {
      hint: "Run the command again: it plans afresh.",
    });
  }
  return { compare: changes.map((change) => guardOf(change, current)), write: changes.map(writeOf) };
}

/**
 * Writes those of an operation's records that are still to be written, in as few transactions as fit. Records that
 * have become something else since are left as they are.
 */
export async function writeOpenRecords(
  client: StoreClient,
  changes: readonly RecordChange[],
  options: CallOptions = {},
): Promise<void> {
  for (let first = 0; first < changes.length; first += mostRecords) {
    const some = changes.slice(first, first + mostRecords);
    for (let attempt = 0; ; attempt++) {
      const current = await readCurrent(client, some, options);
      const open = some.filter((change) => isCurrent(change, current) && !isWritten(change, current));
      if (open.length === 0) break;
      const compare = open.map((change) => guardOf(change, current));
      if ((await client.txn({ compare, write: open.map(writeOf) }, options)).succeeded) break;
      if (attempt >= attempts)
        throw new KeelError("KEEL-403", "records of the operation change all the time");
    }
  }
}

/**
 * Writes a decider's changes under the leader's fence. Changes whose record has become another are left out.
 * Returns the revision of the last transaction, 0 when nothing was written. Rejects with KEEL-403 when the fence
 * does not hold, or a record changed just now.
 */
export async function writeRecords(
  client: StoreClient,
  fence: readonly Compare[],
  changes: readonly RecordChange[],
  options: CallOptions = {},
): Promise<number> {
  let revision = 0;
  const most = maxTxnWrites - fence.length;
  for (let first = 0; first < changes.length; first += most) {
    const some = changes.slice(first, first + most);
    const current = await readCurrent(client, some, options);
    // Only a person puts another record in the place of one that cannot be read.
    const isSound = (change: RecordChange): boolean => current.get(keyOf(change))?.isDamaged !== true;
    const open = some.filter((change) => isSound(change) && isCurrent(change, current));
    if (open.length === 0) continue;
    const compare = [...fence, ...open.map((change) => guardOf(change, current))];
    const answer = await client.txn({ compare, write: open.map(writeOf) }, options);
    if (!answer.succeeded)
      throw new KeelError("KEEL-403", "another leader was elected, or a record has just changed");
    revision = answer.revision;
  }
  return revision;
}

interface Current {
  readonly modRevision: number;
  /** `undefined` for one that cannot be read. */
  readonly record: unknown;
  readonly isDamaged: boolean;
}

/** One that cannot be read stops nobody who writes others. */
function read(change: RecordChange, value: Uint8Array): Omit<Current, "modRevision"> {
  try {
    const record = recordKinds[change.kind].codec.decode(keyOf(change), value);
    return { record, isDamaged: false };
  } catch {
    return { record: undefined, isDamaged: true };
  }
}

async function readCurrent(
  client: StoreClient,
  changes: readonly RecordChange[],
  options: CallOptions,
): Promise<ReadonlyMap<string, Current>> {
  if (changes.length === 0) return new Map();
  const { values } = await client.getAll(changes.map(keyOf), options);
  const byKey = new Map(values.map((value) => [value.key, value]));
  return new Map(
    changes.flatMap((change) => {
      const key = keyOf(change);
      const stored = byKey.get(key);
      if (stored === undefined) return [];
      return [[key, { modRevision: stored.modRevision, ...read(change, stored.value) }] as const];
    }),
  );
}

const keyOf = ({ kind, name }: RecordChange): string => recordKinds[kind].key(name);

/**
 * Cluster settings that nobody has written are the default ones, which a change names as `before`. A record that
 * cannot be read is as good as none: a person's change takes its place.
 */
function isCurrent(change: RecordChange, current: ReadonlyMap<string, Current>): boolean {
  const stored = current.get(keyOf(change));
  if (stored === undefined || stored.isDamaged)
    return change.before === undefined || change.kind === "cluster-settings";
  return sameRecord(stored.record, change.before);
}

const isWritten = (change: RecordChange, current: ReadonlyMap<string, Current>): boolean =>
  sameRecord(current.get(keyOf(change))?.record, change.after);

function guardOf(change: RecordChange, current: ReadonlyMap<string, Current>): Compare {
  const key = keyOf(change);
  return { key, target: "mod", is: "=", revision: current.get(key)?.modRevision ?? 0 };
}

function writeOf(change: RecordChange): StoreWrite {
  const key = keyOf(change);
  if (change.after === undefined) return { delete: key };
  return { put: key, value: recordKinds[change.kind].codec.encode(change.after) };
}
