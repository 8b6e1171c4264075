// A command is a change of the store: what the log records and what, replayed in order, gives the state again.
// Bodies are etcd's own request messages. Numbers of kinds are part of the directory's format.

import { EtcdError } from "../errors.ts";
import type { LogRecord } from "../disk/frame.ts";
import type { DeleteRangeRequest, PutRequest, TxnRequest } from "../keyspace/requests.ts";
import { bigField, intField, WireReader } from "../keyspace/wire.ts";
import { readCompaction, readDeleteRange, readPut, readTxn } from "./messages/kv.ts";
import { readSeal, sealBytes, type Seal } from "./seal.ts";

export interface CompactRequest {
  readonly revision: number;
  readonly physical: boolean;
}

/** An alarm of this member, raised or taken back. */
export interface AlarmChange {
  /** etcdserverpb.AlarmType: 1 NOSPACE, 2 CORRUPT. */
  readonly alarm: number;
  readonly active: boolean;
}

export type Change =
  | { readonly kind: "put"; readonly request: PutRequest }
  | { readonly kind: "delete"; readonly request: DeleteRangeRequest }
  | { readonly kind: "txn"; readonly request: TxnRequest }
  | { readonly kind: "compact"; readonly request: CompactRequest }
  | { readonly kind: "grant"; readonly request: { readonly id: bigint; readonly ttl: number } }
  | { readonly kind: "revoke"; readonly request: { readonly id: bigint } }
  | { readonly kind: "alarm"; readonly request: AlarmChange }
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
  seal: 20,
  unseal: 21,
  lastWrite: 22,
} as const;

export function toRecord(command: Command): LogRecord {
  return { kind: KINDS[command.kind], body: command.body };
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
    case KINDS.alarm: {
      const { id, ttl } = readGrant(reader);
      return { kind: "alarm", request: { alarm: ttl, active: id === 1n } };
    }
    case KINDS.start:
      return { kind: "start" };
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
  return { kind: "alarm", request, body: pair(request.alarm, request.active ? 1n : 0n) };
}

export function compactCommand(revision: number): Command & { kind: "compact" } {
  const body = Buffer.from(intField("\x08", revision), "latin1");
  return { kind: "compact", request: { revision, physical: false }, body };
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

function readGrant(reader: WireReader): { readonly id: bigint; readonly ttl: number } {
  let ttl = 0;
  let id = 0n;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) ttl = reader.int();
    else if (field === 2) id = reader.big();
    else reader.skip();
  }
  return { id, ttl };
}
