// Writes an operation with everything that it changes. What fits one transaction is all or nothing. A larger
// one says `applying` until its last part is written; `resumeOperation` carries an abandoned one on, and two
// who do so at once do no harm: every write compares what it replaces.
import { KeelError } from "../base/errors.ts";
import { keys } from "../model/keys.ts";
import { operationCodec } from "../model/operation.ts";
import type { Change, Operation } from "../model/operation.ts";
import { maxRecordBytes } from "../model/record.ts";
import { unitCodec } from "../model/unit.ts";
import type { Unit } from "../model/unit.ts";
import { putBodies } from "./bodies.ts";
import { mostRecords, readRecords, writeOpenRecords } from "./records.ts";
import { storeErrorCode } from "./store-client.ts";
import type { CallOptions, Compare, StoreClient, StoredValue, StoreWrite } from "./store-client.ts";

/** Changes in one transaction: each takes up to two comparisons, of which etcd takes 128, and records take some. */
const changesPerTxn = 50;
const attempts = 5;

type Current = ReadonlyMap<string, StoredValue>;

/**
 * Writes the bodies, the changes and the record. Returns the revision of the last transaction.
 * Rejects with KEEL-403, and nothing changed, when a unit is not what `before` says any more; with KEEL-605
 * when the record is too large; with KEEL-401 when the store cannot be reached. Records beside units are written
 * with the first changes, a leader's fence is compared there.
 */
export async function applyOperation(
  client: StoreClient,
  operation: Operation,
  bodies: ReadonlyMap<string, string>,
  options: CallOptions & { readonly fence?: readonly Compare[] } = {},
): Promise<number> {
  if (Buffer.byteLength(operationCodec.encode(operation)) > maxRecordBytes) {
    const limit = `${maxRecordBytes / 1024} KiB`;
    throw new KeelError("KEEL-605", `the operation's record is larger than ${limit}`, {
      hint: "Change fewer units at a time.",
    });
  }
  const { fence = [], ...rest } = options;
  const call = { ...rest, timeoutMs: options.timeoutMs ?? 5000 };
  await putBodies(client, bodies, call);
  const { changes, records: all = [] } = operation;
  if (changes.length + all.length / 2 <= changesPerTxn && all.length <= mostRecords) {
    return writeAtOnce(client, { ...operation, state: "applied" }, { bodies, call, fence });
  }
  await checkAll(client, operation.changes, call);
  const key = keys.operation(operation.id);
  const begun: Operation = { ...operation, state: "applying" };
  const records = await readRecords(client, all.slice(0, mostRecords), call);
  const { succeeded } = await client.txn(
    {
      compare: [{ key, target: "create", is: "=", revision: 0 }, ...records.compare, ...fence],
      write: [{ put: key, value: operationCodec.encode(begun) }, ...records.write],
    },
    call,
  );
  if (!succeeded) throw new KeelError("KEEL-403", `an operation ${operation.id} exists already`);
  return resumeOperation(client, begun, call);
}

/**
 * Carries on an operation that says `applying`. A change whose unit was changed by another since is left out of
 * the operation, so that undoing it touches only what it did. Returns the revision of the last transaction.
 */
export async function resumeOperation(
  client: StoreClient,
  operation: Operation,
  options: CallOptions = {},
): Promise<number> {
  // Before the units: a unit with new content and no rollout would have it everywhere at once.
  await writeOpenRecords(client, operation.records ?? [], options);
  const done: Change[] = [];
  for (let first = 0; first < operation.changes.length; first += changesPerTxn) {
    done.push(...(await writePart(client, operation.changes.slice(first, first + changesPerTxn), options)));
  }
  const key = keys.operation(operation.id);
  for (let attempt = 0; ; attempt++) {
    const undone = await readUndone(client, operation, options);
    const { values, revision } = await client.getAll([key], options);
    const current = values[0];
    if (current === undefined) return revision;
    if (operationCodec.decode(key, current.value).state === "applied") return current.modRevision;
    const applied: Operation = { ...operation, changes: done, state: "applied" };
    const answer = await client.txn(
      {
        compare: [{ key, target: "mod", is: "=", revision: current.modRevision }, ...undone.compare],
        write: [{ put: key, value: operationCodec.encode(applied) }, ...undone.write],
      },
      options,
    );
    if (answer.succeeded) return answer.revision;
    if (attempt >= attempts) throw moved(operation.id);
  }
}

async function writeAtOnce(
  client: StoreClient,
  operation: Operation,
  {
    bodies,
    call,
    fence,
  }: {
    readonly bodies: ReadonlyMap<string, string>;
    readonly call: CallOptions;
    readonly fence: readonly Compare[];
  },
): Promise<number> {
  const key = keys.operation(operation.id);
  for (let attempt = 0; ; attempt++) {
    const current = await readUnits(client, operation.changes, call);
    refuseMoved(operation.changes, current);
    const undone = await readUndone(client, operation, call);
    const records = await readRecords(client, operation.records ?? [], call);
    const compare: Compare[] = [
      { key, target: "create", is: "=", revision: 0 },
      ...fence,
      ...undone.compare,
      ...records.compare,
    ];
    const write: StoreWrite[] = [
      { put: key, value: operationCodec.encode(operation) },
      ...undone.write,
      ...records.write,
    ];
    for (const change of operation.changes) {
      compare.push(guardOf(change, current));
      write.push(writeOf(change));
    }
    compare.push(...bodyGuards(operation.changes));
    try {
      const answer = await client.txn({ compare, write }, call);
      if (answer.succeeded) return answer.revision;
    } catch (error) {
      if (storeErrorCode(error) !== "AMBIGUOUS") throw error;
    }
    // Either somebody was faster, or an earlier try of ours was carried out and its answer got lost.
    const written = (await client.getAll([key], call)).values[0];
    if (written !== undefined) return written.modRevision;
    if (attempt >= attempts) throw moved(operation.id);
    await putBodies(client, bodies, call);
  }
}

/** Writes those changes that are still to be made; returns those that now stand. */
async function writePart(
  client: StoreClient,
  changes: readonly Change[],
  call: CallOptions,
): Promise<Change[]> {
  for (let attempt = 0; ; attempt++) {
    const current = await readUnits(client, changes, call);
    const standing = changes.filter((change) => sameUnit(unitIn(current, change.unit), change.after));
    const open = changes.filter(
      (change) => !standing.includes(change) && sameUnit(unitIn(current, change.unit), change.before),
    );
    if (open.length === 0) return standing;
    const compare = [...open.map((change) => guardOf(change, current)), ...bodyGuards(open)];
    const answer = await client.txn({ compare, write: open.map(writeOf) }, call);
    if (answer.succeeded) return [...standing, ...open];
    if (attempt >= attempts) throw moved(open.map(({ unit }) => unit).join(", "));
  }
}

async function checkAll(client: StoreClient, changes: readonly Change[], call: CallOptions): Promise<void> {
  for (let first = 0; first < changes.length; first += changesPerTxn) {
    const part = changes.slice(first, first + changesPerTxn);
    refuseMoved(part, await readUnits(client, part, call));
  }
}

async function readUnits(
  client: StoreClient,
  changes: readonly Change[],
  call: CallOptions,
): Promise<Current> {
  if (changes.length === 0) return new Map();
  const { values } = await client.getAll(
    changes.map(({ unit }) => keys.unit(unit)),
    call,
  );
  return new Map(values.map((value) => [value.key, value]));
}

function unitIn(current: Current, name: string): Unit | undefined {
  const key = keys.unit(name);
  const stored = current.get(key);
  if (stored === undefined) return undefined;
  try {
    return unitCodec.decode(key, stored.value);
  } catch {
    // As good as none: whoever submits the unit again puts it in the place of what cannot be read.
    return undefined;
  }
}

function refuseMoved(changes: readonly Change[], current: Current): void {
  const other = changes.filter((change) => !sameUnit(unitIn(current, change.unit), change.before));
  if (other.length > 0) throw moved(other.map(({ unit }) => unit).join(", "));
}

function moved(what: string): KeelError {
  return new KeelError("KEEL-403", `${what}: changed by another since the plan was made`, {
    hint: "Run the command again: it plans afresh.",
  });
}

function guardOf(change: Change, current: Current): Compare {
  const key = keys.unit(change.unit);
  const revision = current.get(key)?.modRevision ?? 0;
  return { key, target: "mod", is: "=", revision };
}

function writeOf(change: Change): StoreWrite {
  const key = keys.unit(change.unit);
  return change.after === undefined ? { delete: key } : { put: key, value: unitCodec.encode(change.after) };
}

/** A unit must not point to a body that the garbage collection took a moment ago. */
function bodyGuards(changes: readonly Change[]): Compare[] {
  const hashes = new Set(changes.flatMap(({ after }) => after?.hash ?? []));
  return [...hashes].map((hash) => ({ key: keys.body(hash), target: "create", is: "!=", revision: 0 }));
}

function sameUnit(one: Unit | undefined, other: Unit | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return (Object.keys(one) as (keyof Unit)[]).every((field) => one[field] === other[field]);
}

/** What marks the operation that this one takes back; nothing when its record is gone. */
async function readUndone(
  client: StoreClient,
  operation: Operation,
  call: CallOptions,
): Promise<{ readonly compare: readonly Compare[]; readonly write: readonly StoreWrite[] }> {
  if (operation.undoOf === undefined) return { compare: [], write: [] };
  const key = keys.operation(operation.undoOf);
  const stored = (await client.getAll([key], call)).values[0];
  if (stored === undefined) return { compare: [], write: [] };
  const undone: Operation = { ...operationCodec.decode(key, stored.value), undoneBy: operation.id };
  return {
    compare: [{ key, target: "mod", is: "=", revision: stored.modRevision }],
    write: [{ put: key, value: operationCodec.encode(undone) }],
  };
}
