// The buckets of etcd's database file as state: the way back from `buckets.ts`.

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { BoltReader } from "../../bolt/reader.ts";
import { EtcdError } from "../../errors.ts";
import { decodeFields } from "../../keyspace/version.ts";
import { bytesField, intField, WireError, WireReader } from "../../keyspace/wire.ts";
import { RoleSchema, UserSchema } from "../../proto/generated/authpb_pb.ts";
import type { AuthData } from "../auth/auth-state.ts";
import { decode } from "../messages/generated.ts";
import { StoreState } from "../state.ts";
import { AUTH, META } from "./buckets.ts";
import { TOMBSTONE_MARK } from "./records.ts";

const REVISION_BYTES = 17;
/** Entries between two pauses, and versions of a compaction. */
const STEP = 5000;

interface Revision {
  readonly main: number;
  readonly sub: number;
  readonly isTombstone: boolean;
}

/** Takes up a database. The generator pauses regularly. Throws STORE_DAMAGED. */
export function* stateOf(database: BoltReader): Generator<void, StoreState, void> {
  const state = new StoreState();
  const { keyspace } = state;
  const meta = new Map([...database.entries("meta")].map(({ key, value }) => [key, value]));
  for (const { value } of database.entries("lease")) {
    const { id, ttl } = readLease(value);
    keyspace.leases.add(id, ttl);
  }
  for (const { key } of database.entries("alarm")) state.alarms.raise(readAlarm(key));
  let revision = 1;
  let count = 0;
  for (const { key, value } of database.entries("key")) {
    const at = readRevision(key);
    if (at.main < revision) throw damaged(`revision ${at.main} comes behind ${revision}`);
    revision = at.main;
    const fields = { ...readMessage(`revision ${at.main}`, value, (bytes) => decodeFields(bytes)), ...at };
    if (at.isTombstone) {
      const text = bytesField("\x0a", fields.key) + intField("\x18", at.main);
      const tombstone = { ...fields, create: 0, version: 0, lease: 0n };
      keyspace.restoreVersion(tombstone, Buffer.from(text, "latin1"));
    } else {
      if (fields.version < 1) throw damaged(`revision ${at.main} has no version`);
      keyspace.restoreVersion(fields, Buffer.from(value, "latin1"));
    }
    if (++count % STEP === 0) yield;
  }
  state.auth.restore(authOf(database));
  const term = meta.get(META.term);
  if (term !== undefined) state.term = Math.max(1, readNumber(term));
  const compactions = [META.scheduledCompaction, META.finishedCompaction].map((name) => meta.get(name));
  const compacted = Math.max(
    -1,
    ...compactions.map((text) => (text === undefined ? -1 : readRevision(text).main)),
  );
  keyspace.restoreRevisions(Math.max(revision, compacted), compacted);
  // A compaction that the other store had begun is finished.
  while (compacted >= 0 && !keyspace.sweep(STEP)) yield;
  return state;
}

function authOf(database: BoltReader): AuthData {
  const settings = new Map([...database.entries("auth")].map(({ key, value }) => [key, value]));
  const revision = settings.get(AUTH.revision);
  const messages = <D extends DescMessage>(bucket: string, schema: D): MessageShape<D>[] =>
    [...database.entries(bucket)].map(({ key, value }) =>
      readMessage(`${bucket} ${JSON.stringify(key)}`, value, (bytes) => decode(schema, bytes)),
    );
  return {
    enabled: settings.get(AUTH.enabled) === "\u0001",
    revision: revision === undefined ? 1 : readNumber(revision),
    users: messages("authUsers", UserSchema),
    roles: messages("authRoles", RoleSchema),
  };
}

function readRevision(text: string): Revision {
  const isTombstone = text.length === REVISION_BYTES + 1 && text.endsWith(TOMBSTONE_MARK);
  if ((!isTombstone && text.length !== REVISION_BYTES) || text[8] !== "_") {
    throw damaged(`${JSON.stringify(text)} is no revision`);
  }
  return { main: readNumber(text.slice(0, 8)), sub: readNumber(text.slice(9, REVISION_BYTES)), isTombstone };
}

function readNumber(text: string): number {
  const bytes = Buffer.from(text, "latin1");
  const number = bytes.length === 8 ? Number(bytes.readBigInt64BE(0)) : Number.NaN;
  if (!Number.isSafeInteger(number) || number < 0) throw damaged(`${JSON.stringify(text)} is no number`);
  return number;
}

/** leasepb.Lease: id, TTL, remaining TTL. As after a restart, a lease has its full time. */
function readLease(text: string): { readonly id: bigint; readonly ttl: number } {
  return readMessage("a lease", text, (bytes) => {
    let [id, ttl] = [0n, 0];
    const reader = new WireReader(bytes);
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === 1) id = reader.big();
      else if (field === 2) ttl = reader.int();
      else reader.skip();
    }
    return { id, ttl };
  });
}

function readAlarm(text: string): { readonly member: bigint; readonly alarm: number } {
  return readMessage("an alarm", text, (bytes) => {
    let [member, alarm] = [0n, 0];
    const reader = new WireReader(bytes);
    for (let field = reader.next(); field !== 0; field = reader.next()) {
      if (field === 1) member = BigInt.asUintN(64, reader.big());
      else if (field === 2) alarm = reader.int();
      else reader.skip();
    }
    return { member, alarm };
  });
}

function readMessage<T>(what: string, text: string, read: (bytes: Buffer) => T): T {
  try {
    return read(Buffer.from(text, "latin1"));
  } catch (error) {
    if (error instanceof WireError) throw damaged(`${what} cannot be read: ${error.message}`);
    throw error;
  }
}

function damaged(what: string): EtcdError {
  return new EtcdError("STORE_DAMAGED", `the database file is damaged: ${what}`);
}
