// Everything that a store holds, read from its own snapshot: the one answer of etcd's that tells where in its
// transaction each kept change stands. Buckets as etcd's mvcc and lease packages write them.

import { mkdtemp, open, rm } from "node:fs/promises";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { BoltReader } from "../bolt/reader.ts";
import type { EtcdClient } from "../client/index.ts";
import { EtcdError } from "../errors.ts";
import { decodeKeyValue } from "../keyspace/version.ts";
import { WireReader } from "../keyspace/wire.ts";
import { withoutCompacted, type SourceHistory, type SourceVersion } from "./history.ts";

/** Bytes of a key in the bucket of keys: main revision, "_", place; a deletion has a "t" behind it. */
const REVISION_BYTES = 17;

export interface StoreContents {
  readonly history: SourceHistory;
  /** Seconds granted, by id. */
  readonly leases: ReadonlyMap<bigint, number>;
  readonly authEnabled: boolean;
}

/** Fetches a snapshot into a directory of its own, reads it and removes it. Throws EtcdError. */
export async function readContents(client: EtcdClient, signal?: AbortSignal): Promise<StoreContents> {
  const directory = await mkdtemp(path.join(tmpdir(), "keelson-migration-"));
  try {
    const file = path.join(directory, "snapshot");
    await using handle = await open(file, "wx", 0o600);
    for await (const piece of client.snapshot({ signal })) await handle.writeFile(piece);
    return contentsOf(file);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What a snapshot's file holds. Throws STORE_DAMAGED. */
export function contentsOf(file: string): StoreContents {
  const handle = openSync(file, "r");
  try {
    const { size } = fstatSync(handle);
    const bolt = new BoltReader({
      size,
      read: (offset, length) => {
        const bytes = Buffer.allocUnsafe(length);
        if (readSync(handle, bytes, 0, length, offset) !== length) throw damaged("it is cut off");
        return bytes;
      },
    });
    return readBuckets(bolt);
  } finally {
    closeSync(handle);
  }
}

function readBuckets(bolt: BoltReader): StoreContents {
  const versions: SourceVersion[] = [];
  for (const { key, value } of bolt.entries("key")) versions.push(readVersion(key, value));
  let compactRevision = 0;
  for (const { key, value } of bolt.entries("meta")) {
    if (key !== "scheduledCompactRev" && key !== "finishedCompactRev") continue;
    compactRevision = Math.max(compactRevision, mainOf(value));
  }
  const leases = new Map<bigint, number>();
  for (const { value } of bolt.entries("lease")) {
    const { id, ttl } = readLease(new WireReader(Buffer.from(value, "latin1")));
    leases.set(id, ttl);
  }
  let authEnabled = false;
  for (const { key, value } of bolt.entries("auth")) {
    if (key === "authEnabled") authEnabled = value === "\x01";
  }
  const revision = Math.max(1, compactRevision, versions.at(-1)?.main ?? 0);
  return { history: withoutCompacted({ revision, compactRevision, versions }), leases, authEnabled };
}

function readVersion(key: string, value: string): SourceVersion {
  if (key.length < REVISION_BYTES) throw damaged(`a revision of ${key.length} bytes`);
  const isTombstone = key.length > REVISION_BYTES;
  const main = mainOf(key);
  const sub = Number(Buffer.from(key, "latin1").readBigUInt64BE(9));
  const fields = decodeKeyValue(Buffer.from(value, "latin1"));
  if (isTombstone) return { ...fields, main, sub, create: 0, version: 0, lease: 0n, value: "" };
  if (fields.version < 1) throw damaged(`revision ${main} has a key without a version`);
  return { ...fields, main, sub };
}

function mainOf(revision: string): number {
  if (revision.length < REVISION_BYTES) throw damaged(`a revision of ${revision.length} bytes`);
  return Number(Buffer.from(revision.slice(0, 8), "latin1").readBigUInt64BE());
}

/** leasepb.Lease. */
function readLease(reader: WireReader): { readonly id: bigint; readonly ttl: number } {
  let id = 0n;
  let ttl = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) id = reader.big();
    else if (field === 2) ttl = reader.int();
    else reader.skip();
  }
  return { id, ttl };
}

function damaged(what: string): EtcdError {
  return new EtcdError("STORE_DAMAGED", `the snapshot cannot be read: ${what}`);
}
