// A command is a change of the store: what the log records and what, replayed in order, gives the state again.
// Bodies are etcd's own request messages. Numbers of kinds are part of the directory's format.

import { EtcdError } from "../errors.ts";
import type { LogRecord } from "../disk/frame.ts";
import { MemberUpdateRequestSchema } from "../proto/generated/etcdserverpb/cluster_pb.ts";
import { decode } from "./messages/generated.ts";
import type { DeleteRangeRequest, PutRequest, TxnRequest } from "../keyspace/requests.ts";
import {
  bigField,
  boolField,
  bytesField,
  intField,
  utf8,
  varint,
  WireError,
  WireReader,
} from "../keyspace/wire.ts";
import type { RaisedAlarm } from "./alarms.ts";
import { type AuthChange, decodeAuthChange, encodeAuthChange } from "./auth/changes.ts";
import type { Requester } from "./auth/requester.ts";
import { readCompaction, readDeleteRange, readPut, readTxn } from "./messages/kv.ts";
import { readSeal, sealBytes, type Seal } from "./seal.ts";

export interface CompactRequest {
  readonly revision: number;
  readonly physical: boolean;
}

/** An alarm of a member, raised or taken back. */
export interface AlarmChange extends RaisedAlarm {
  readonly active: boolean;
}

/** What is changed, and for whom if the store asks that. */
export type Change = ChangeOf & { readonly by?: Requester | undefined };

type ChangeOf =
  | { readonly kind: "put"; readonly request: PutRequest }
  | { readonly kind: "delete"; readonly request: DeleteRangeRequest }
  | { readonly kind: "txn"; readonly request: TxnRequest }
  | { readonly kind: "compact"; readonly request: CompactRequest }
  | { readonly kind: "grant"; readonly request: { readonly id: bigint; readonly ttl: number } }
  | { readonly kind: "revoke"; readonly request: { readonly id: bigint } }
  | { readonly kind: "alarm"; readonly request: AlarmChange }
  | { readonly kind: "auth"; readonly request: AuthChange }
  /** Where other members would find this one. */
  | { readonly kind: "peerUrls"; readonly request: readonly string[] }
  /** The server was started: a new term. */
  | { readonly kind: "start" }
  | { readonly kind: "seal"; readonly request: Seal }
  | { readonly kind: "unseal" }
  /** A transaction through the seal. */
  | { readonly kind: "lastWrite"; readonly request: TxnRequest };

/** A change with the bytes that the log keeps of it. */
export type Command = Change & { readonly body: Uint8Array };

const KINDS = {
  put: 1,
  delete: 2,
  txn: 3,
  compact: 4,
  grant: 5,
  revoke: 6,
  alarm: 7,
  start: 8,
  auth: 9,
  peerUrls: 11,
  seal: 20,
  unseal: 21,
  lastWrite: 22,
} as const;
/** A record of another kind inside, with the one who asked for it before it. */
const KIND_BY = 10;

export function toRecord(command: Command): LogRecord {
  const { kind, body, by } = command;
  return by === undefined
    ? { kind: KINDS[kind], body }
    : { kind: KIND_BY, body: madeFor(by, KINDS[kind], body) };
}

/** The change that a record stands for. Throws WireError if it is none of this version's. */
export function fromRecord({ kind, body }: LogRecord): Change {
  const reader = new WireReader(Buffer.from(body.buffer, body.byteOffset, body.length));
  switch (kind) {
    case KINDS.put:
      return { kind: "put", request: readPut(reader) };
    case KINDS.delete:
      return { kind: "delete", request: readDeleteRange(reader) };
    case KINDS.txn:
      return { kind: "txn", request: readTxn(reader) };
    case KINDS.compact:
      return { kind: "compact", request: readCompaction(reader) };
    case KINDS.grant:
      return { kind: "grant", request: readGrant(reader) };
    case KINDS.revoke:
      return { kind: "revoke", request: { id: readGrant(reader).id } };
    case KINDS.alarm:
      return { kind: "alarm", request: readAlarm(reader) };
    case KINDS.start:
      return { kind: "start" };
    case KINDS.auth:
      return { kind: "auth", request: decodeAuthChange(reader) };
    case KIND_BY:
      return readMadeFor(reader);
    case KINDS.peerUrls:
      return { kind: "peerUrls", request: decode(MemberUpdateRequestSchema, body).peerURLs };
    case KINDS.seal:
      return { kind: "seal", request: readSeal(Buffer.from(body)) };
    case KINDS.unseal:
      return { kind: "unseal" };
    case KINDS.lastWrite:
      return { kind: "lastWrite", request: readTxn(reader) };
    default:
      throw new EtcdError(
        "STORE_IO",
        `the log has a record of kind ${kind}, which this version does not know. Start it with the version that wrote it.`,
      );
  }
}

export function grantCommand(id: bigint, ttl: number): Command & { kind: "grant" } {
  return { kind: "grant", request: { id, ttl }, body: pair(ttl, id) };
}

export function revokeCommand(id: bigint): Command & { kind: "revoke" } {
  return { kind: "revoke", request: { id }, body: pair(0, id) };
}

export function alarmCommand(request: AlarmChange): Command & { kind: "alarm" } {
  const text = intField("\x08", request.alarm) + boolField("\x10", request.active);
  return { kind: "alarm", request, body: Buffer.from(text + bigField("\x18", request.member), "latin1") };
}

export function compactCommand(revision: number): Command & { kind: "compact" } {
  const body = Buffer.from(intField("\x08", revision), "latin1");
  return { kind: "compact", request: { revision, physical: false }, body };
}

export function authCommand(request: AuthChange): Command & { kind: "auth" } {
  return { kind: "auth", request, body: encodeAuthChange(request) };
}

/** `body` is the MemberUpdateRequest. */
export function peerUrlsCommand(
  request: readonly string[],
  body: Uint8Array,
): Command & { kind: "peerUrls" } {
  return { kind: "peerUrls", request, body };
}

export function startCommand(): Command & { kind: "start" } {
  return { kind: "start", body: new Uint8Array() };
}

export function sealCommand(request: Seal): Command & { kind: "seal" } {
  return { kind: "seal", request, body: sealBytes(request) };
}

export function unsealCommand(): Command & { kind: "unseal" } {
  return { kind: "unseal", body: new Uint8Array() };
}

export function lastWriteCommand(request: TxnRequest, body: Uint8Array): Command & { kind: "lastWrite" } {
  return { kind: "lastWrite", request, body };
}

function pair(first: number, second: bigint): Uint8Array {
  return Buffer.from(intField("\x08", first) + bigField("\x10", second), "latin1");
}

/** A LeaseGrantRequest; commands with an id and a number have the same form. */
export function readGrant(reader: WireReader): { readonly id: bigint; readonly ttl: number } {
  let ttl = 0;
  let id = 0n;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) ttl = reader.int();
    else if (field === 2) id = reader.big();
    else reader.skip();
  }
  return { id, ttl };
}

function madeFor({ user, revision }: Requester, kind: number, body: Uint8Array): Uint8Array {
  const head = bytesField("\x0a", utf8(user)) + intField("\x10", revision) + intField("\x18", kind);
  return Buffer.concat([Buffer.from(`${head}\x22${varint(body.length)}`, "latin1"), body]);
}

function readMadeFor(reader: WireReader): Change {
  let [user, revision, kind, body] = ["", 0, 0, ""];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) user = reader.bytes();
    else if (field === 2) revision = reader.int();
    else if (field === 3) kind = reader.int();
    else if (field === 4) body = reader.bytes();
    else reader.skip();
  }
  if (kind === KIND_BY) throw new WireError("a record inside a record inside a record");
  const by = { user: Buffer.from(user, "latin1").toString("utf8"), revision };
  return { ...fromRecord({ kind, body: Buffer.from(body, "latin1") }), by };
}

function readAlarm(reader: WireReader): AlarmChange {
  let [alarm, active, member] = [0, false, 0n];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) alarm = reader.int();
    else if (field === 2) active = reader.bool();
    else if (field === 3) member = reader.big();
    else reader.skip();
  }
  return { alarm, active, member: BigInt.asUintN(64, member) };
}
