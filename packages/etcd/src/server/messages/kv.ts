// etcdserverpb's KV messages, read from the wire and written to it by hand: these are the ones that every
// request pays for. Rarer messages go through the generated code.

import type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResult,
  Operation,
  OperationResult,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
  TxnRequest,
  TxnResult,
} from "../../keyspace/requests.ts";
import { COMPARE_TARGET } from "../../keyspace/requests.ts";
import { withoutValue, type Version } from "../../keyspace/version.ts";
import { boolField, bytesField, intField, WireReader, writeVarint } from "../../keyspace/wire.ts";

export function readRange(reader: WireReader): RangeRequest {
  const request = {
    key: "",
    rangeEnd: "",
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request.key = reader.bytes();
    else if (field === 2) request.rangeEnd = reader.bytes();
    else if (field === 3) request.limit = reader.int();
    else if (field === 4) request.revision = reader.int();
    else if (field === 5) request.sortOrder = reader.int();
    else if (field === 6) request.sortTarget = reader.int();
    // Serializable: one member is always up to date.
    else if (field === 7) reader.bool();
    else if (field === 8) request.keysOnly = reader.bool();
    else if (field === 9) request.countOnly = reader.bool();
    else if (field === 10) request.minModRevision = reader.int();
    else if (field === 11) request.maxModRevision = reader.int();
    else if (field === 12) request.minCreateRevision = reader.int();
    else if (field === 13) request.maxCreateRevision = reader.int();
    else reader.skip();
  }
  return request;
}

export function readPut(reader: WireReader): PutRequest {
  const request = { key: "", value: "", lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request.key = reader.bytes();
    else if (field === 2) request.value = reader.bytes();
    else if (field === 3) request.lease = reader.big();
    else if (field === 4) request.prevKv = reader.bool();
    else if (field === 5) request.ignoreValue = reader.bool();
    else if (field === 6) request.ignoreLease = reader.bool();
    else reader.skip();
  }
  return request;
}

export function readDeleteRange(reader: WireReader): DeleteRangeRequest {
  const request = { key: "", rangeEnd: "", prevKv: false };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request.key = reader.bytes();
    else if (field === 2) request.rangeEnd = reader.bytes();
    else if (field === 3) request.prevKv = reader.bool();
    else reader.skip();
  }
  return request;
}

export function readTxn(reader: WireReader): TxnRequest {
  const compare: Compare[] = [];
  const success: Operation[] = [];
  const failure: Operation[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) compare.push(reader.message(readCompare));
    else if (field === 2) success.push(reader.message(readOperation));
    else if (field === 3) failure.push(reader.message(readOperation));
    else reader.skip();
  }
  return { compare, success, failure };
}

export function readCompaction(reader: WireReader): {
  readonly revision: number;
  readonly physical: boolean;
} {
  const request = { revision: 0, physical: false };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) request.revision = reader.int();
    else if (field === 2) request.physical = reader.bool();
    else reader.skip();
  }
  return request;
}

function readOperation(reader: WireReader): Operation {
  let operation: Operation = { kind: "none" };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) operation = { kind: "range", request: reader.message(readRange) };
    else if (field === 2) operation = { kind: "put", request: reader.message(readPut) };
    else if (field === 3) operation = { kind: "delete", request: reader.message(readDeleteRange) };
    else if (field === 4) operation = { kind: "txn", request: reader.message(readTxn) };
    else reader.skip();
  }
  return operation;
}

function readCompare(reader: WireReader): Compare {
  const compare = {
    result: 0,
    target: 0,
    key: "",
    rangeEnd: "",
    operandOf: undefined as number | undefined,
    operand: 0 as number | bigint | string,
  };
  const operand = (target: number, value: number | bigint | string): void => {
    compare.operandOf = target;
    compare.operand = value;
  };
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) compare.result = reader.int();
    else if (field === 2) compare.target = reader.int();
    else if (field === 3) compare.key = reader.bytes();
    else if (field === 4) operand(COMPARE_TARGET.version, reader.int());
    else if (field === 5) operand(COMPARE_TARGET.create, reader.int());
    else if (field === 6) operand(COMPARE_TARGET.mod, reader.int());
    else if (field === 7) operand(COMPARE_TARGET.value, reader.bytes());
    else if (field === 8) operand(COMPARE_TARGET.lease, reader.big());
    else if (field === 64) compare.rangeEnd = reader.bytes();
    else reader.skip();
  }
  return compare;
}

/** `header` is an encoded ResponseHeader field, tag and all; so in all of the following. */
export function writeRange(header: string, result: RangeResult): string {
  const { versions, keysOnly } = result;
  let text = header;
  if (versions.length > FEW && !keysOnly) text += joined(versions);
  else {
    for (const version of versions) {
      text += bytesField("\x12", keysOnly ? withoutValue(version.encoded) : version.encoded);
    }
  }
  return text + boolField("\x18", result.more) + intField("\x20", result.count);
}

/** From here on it is cheaper to put the fields together in a buffer than as strings. */
const FEW = 4;
/** Of a tag and a length. */
const MOST_HEAD_BYTES = 11;

/** Versions as fields 2 of an answer. */
function joined(versions: readonly Version[]): string {
  const most = versions.reduce((sum, { length }) => sum + length + MOST_HEAD_BYTES, 0);
  const bytes = Buffer.allocUnsafe(most);
  let at = 0;
  for (const version of versions) {
    bytes[at] = 0x12;
    at = version.copyTo(bytes, writeVarint(bytes, at + 1, version.length));
  }
  return bytes.toString("latin1", 0, at);
}

export function writePut(header: string, result: PutResult): string {
  return result.previous === undefined ? header : header + bytesField("\x12", result.previous.encoded);
}

export function writeDeleteRange(header: string, result: DeleteRangeResult): string {
  let text = header + intField("\x10", result.deleted);
  for (const version of result.previous) text += bytesField("\x1a", version.encoded);
  return text;
}

export function writeTxn(header: string, result: TxnResult): string {
  let text = header + boolField("\x10", result.succeeded);
  for (const operation of result.results) text += bytesField("\x1a", writeOperation(operation));
  return text;
}

/** Inside of a transaction a header carries the revision only, and that of a nested transaction nothing. */
function writeOperation(result: OperationResult): string {
  const header = (): string => bytesField("\x0a", intField("\x18", result.revision));
  switch (result.kind) {
    case "range":
      return bytesField("\x0a", writeRange(header(), result));
    case "put":
      return bytesField("\x12", writePut(header(), result));
    case "delete":
      return bytesField("\x1a", writeDeleteRange(header(), result));
    case "txn":
      return bytesField("\x22", writeTxn("\x0a\0", result));
  }
}
