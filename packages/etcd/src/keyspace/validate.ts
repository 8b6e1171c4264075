// What etcd refuses before it looks at any key (server/etcdserver/api/v3rpc/key.go). All of it throws EtcdError.

import { EtcdError, GRPC_STATUS } from "../errors.ts";
import type { DeleteRangeRequest, Operation, PutRequest, RangeRequest, TxnRequest } from "./requests.ts";

export function checkRange(request: RangeRequest): void {
  if (request.key === "") throw EtcdError.refusal("EMPTY_KEY");
  const { sortOrder, sortTarget } = request;
  if (sortOrder < 0 || sortOrder > 2 || sortTarget < 0 || sortTarget > 4) {
    throw new EtcdError("INVALID_ARGUMENT", "etcdserver: invalid sort option", {
      grpcStatus: GRPC_STATUS.INVALID_ARGUMENT,
    });
  }
}

export function checkPut(request: PutRequest): void {
  if (request.key === "") throw EtcdError.refusal("EMPTY_KEY");
  if (request.ignoreValue && request.value !== "") throw EtcdError.refusal("VALUE_PROVIDED");
  if (request.ignoreLease && request.lease !== 0n) throw EtcdError.refusal("LEASE_PROVIDED");
}

export function checkDeleteRange(request: DeleteRangeRequest): void {
  if (request.key === "") throw EtcdError.refusal("EMPTY_KEY");
}

/** `mostOps` is counted down through nesting: a nested transaction may have what its parent left over. */
export function checkTxn(request: TxnRequest, mostOps: number): void {
  checkTxnShape(request, mostOps);
  changedKeys(request.success);
  changedKeys(request.failure);
}

function checkTxnShape(request: TxnRequest, mostOps: number): void {
  const { compare, success, failure } = request;
  const ops = Math.max(compare.length, success.length, failure.length);
  if (ops > mostOps) throw EtcdError.refusal("TOO_MANY_OPS");
  if (compare.some(({ key }) => key === "")) throw EtcdError.refusal("EMPTY_KEY");
  for (const operation of success) checkOperation(operation, mostOps - ops);
  for (const operation of failure) checkOperation(operation, mostOps - ops);
}

function checkOperation(operation: Operation, mostOps: number): void {
  switch (operation.kind) {
    case "range":
      return checkRange(operation.request);
    case "put":
      return checkPut(operation.request);
    case "delete":
      return checkDeleteRange(operation.request);
    case "txn":
      return checkTxnShape(operation.request, mostOps);
    case "none":
      throw EtcdError.refusal("KEY_NOT_FOUND");
  }
}

/** Deleted interval; `end` "" has no bound. */
interface Interval {
  readonly start: string;
  readonly end: string;
}

interface Changes {
  readonly puts: Set<string>;
  readonly deletes: Interval[];
}

/** Collects what a branch writes. Throws DUPLICATE_KEY where two of its operations write one key. */
function changedKeys(operations: readonly Operation[]): Changes {
  const puts = new Set<string>();
  const deletes: Interval[] = [];
  for (const operation of operations) {
    if (operation.kind === "delete") deletes.push(deletedInterval(operation.request));
  }
  for (const operation of operations) {
    if (operation.kind !== "txn") continue;
    const then = changedKeys(operation.request.success);
    const otherwise = changedKeys(operation.request.failure);
    for (const key of then.puts) addPut(key, puts, deletes);
    for (const key of otherwise.puts) {
      // Only one of the two branches is carried out: they may write the same key.
      if (then.puts.has(key)) refuseIfDeleted(key, deletes);
      else addPut(key, puts, deletes);
    }
    deletes.push(...then.deletes, ...otherwise.deletes);
  }
  for (const operation of operations) {
    if (operation.kind === "put") addPut(operation.request.key, puts, deletes);
  }
  return { puts, deletes };
}

function addPut(key: string, puts: Set<string>, deletes: readonly Interval[]): void {
  if (puts.has(key)) throw EtcdError.refusal("DUPLICATE_KEY");
  refuseIfDeleted(key, deletes);
  puts.add(key);
}

function refuseIfDeleted(key: string, deletes: readonly Interval[]): void {
  if (deletes.some(({ start, end }) => key >= start && (end === "" || key < end))) {
    throw EtcdError.refusal("DUPLICATE_KEY");
  }
}

/** As etcd has it, a range_end of "\0" is no open end here but the smallest key: such a delete overlaps nothing. */
function deletedInterval({ key, rangeEnd }: DeleteRangeRequest): Interval {
  return { start: key, end: rangeEnd === "" ? `${key}\0` : rangeEnd };
}
