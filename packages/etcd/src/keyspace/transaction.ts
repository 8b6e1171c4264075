// Carries requests out on the keyspace, with the checks that need its state (server/etcdserver/apply.go).
// A request that is refused changes nothing. Requests have passed validate.ts before.

import { EtcdError } from "../errors.ts";
import { allHold } from "./compare.ts";
import type { Keyspace } from "./keyspace.ts";
import { range } from "./range.ts";
import {
  isWithin,
  keyRange,
  type DeleteRangeRequest,
  type DeleteRangeResult,
  type KeyRange,
  type Operation,
  type OperationResult,
  type PutRequest,
  type PutResult,
  type TxnRequest,
  type TxnResult,
} from "./requests.ts";

/** One put as a transaction of its own. Throws LEASE_NOT_FOUND or KEY_NOT_FOUND. */
export function put(keyspace: Keyspace, request: PutRequest): PutResult {
  // Of two faults etcd names the lease first here, and last in a transaction.
  checkLease(keyspace, request);
  checkIgnored(keyspace, request);
  const result = applyPut(keyspace, request);
  keyspace.commit();
  return result;
}

/** One delete as a transaction of its own. */
export function deleteRange(keyspace: Keyspace, request: DeleteRangeRequest): DeleteRangeResult {
  const result = applyDelete(keyspace, request);
  keyspace.commit();
  return result;
}

/** A transaction: all conditions first, those of nested ones too, then all operations or none. */
export function txn(keyspace: Keyspace, request: TxnRequest): TxnResult {
  const plan = choose(keyspace, request);
  checkPuts(keyspace, plan);
  checkRanges(keyspace, plan);
  const before = operations(keyspace);
  const result = carryOut(keyspace, plan);
  if (operations(keyspace) > before + 1) keyspace.counts.txns++;
  const revision = keyspace.revisionInTxn;
  keyspace.commit();
  return { ...result, revision };
}

function operations({ counts }: Keyspace): number {
  return counts.ranges + counts.puts + counts.deletes;
}

/** Only ranges: needs no place in the log. */
export function isReadOnly(request: TxnRequest): boolean {
  const reads = (operation: Operation): boolean => operation.kind === "range";
  return request.success.every(reads) && request.failure.every(reads);
}

/** A transaction with its branches chosen. */
interface Plan {
  readonly succeeded: boolean;
  readonly steps: readonly Step[];
}

type Step = { readonly operation: Operation; readonly nested?: Plan };

function choose(keyspace: Keyspace, request: TxnRequest): Plan {
  const succeeded = allHold(keyspace, request.compare);
  const steps = (succeeded ? request.success : request.failure).map((operation): Step => {
    if (operation.kind !== "txn") return { operation };
    return { operation, nested: choose(keyspace, operation.request) };
  });
  return { succeeded, steps };
}

/**
 * Refuses puts that cannot be carried out before anything is; etcd looks at all puts first, then at all ranges.
 * `deleted` is what the transaction has deleted so far: nothing of it can be kept. (etcd finds that out halfway
 * through, and panics.)
 */
function checkPuts(keyspace: Keyspace, plan: Plan, deleted: KeyRange[] = []): void {
  for (const { operation, nested } of plan.steps) {
    if (nested !== undefined) checkPuts(keyspace, nested, deleted);
    else if (operation.kind === "delete") {
      deleted.push(keyRange(operation.request.key, operation.request.rangeEnd));
    } else if (operation.kind === "put") {
      const { key, ignoreValue, ignoreLease } = operation.request;
      checkIgnored(keyspace, operation.request);
      if ((ignoreValue || ignoreLease) && deleted.some((range) => isWithin(key, range))) {
        throw EtcdError.refusal("KEY_NOT_FOUND");
      }
      checkLease(keyspace, operation.request);
    }
  }
}

function checkRanges(keyspace: Keyspace, plan: Plan): void {
  for (const { operation, nested } of plan.steps) {
    if (nested !== undefined) checkRanges(keyspace, nested);
    else if (operation.kind === "range" && operation.request.revision !== 0) {
      keyspace.checkReadable(operation.request.revision);
    }
  }
}

function checkLease(keyspace: Keyspace, { lease }: PutRequest): void {
  if (lease !== 0n && !keyspace.leases.has(lease)) throw EtcdError.refusal("LEASE_NOT_FOUND");
}

/** What is to be kept must be there. */
function checkIgnored(keyspace: Keyspace, { key, ignoreValue, ignoreLease }: PutRequest): void {
  if ((ignoreValue || ignoreLease) && keyspace.get(key) === undefined) {
    throw EtcdError.refusal("KEY_NOT_FOUND");
  }
}

function carryOut(keyspace: Keyspace, plan: Plan): TxnResult {
  const results = plan.steps.map((step): OperationResult => {
    const { operation, nested } = step;
    if (nested !== undefined) return carryOut(keyspace, nested);
    switch (operation.kind) {
      case "range":
        return range(keyspace, operation.request);
      case "put":
        return applyPut(keyspace, operation.request);
      case "delete":
        return applyDelete(keyspace, operation.request);
      case "txn":
      case "none":
        throw EtcdError.refusal("KEY_NOT_FOUND");
    }
  });
  return { kind: "txn", revision: 0, succeeded: plan.succeeded, results };
}

function applyPut(keyspace: Keyspace, request: PutRequest): PutResult {
  const { key, prevKv, ignoreValue, ignoreLease } = request;
  const before = ignoreValue || ignoreLease ? keyspace.get(key) : undefined;
  const value = ignoreValue ? (before?.value ?? "") : request.value;
  const lease = ignoreLease ? (before?.lease ?? 0n) : request.lease;
  const previous = keyspace.put(key, value, lease);
  return { kind: "put", revision: keyspace.revisionInTxn, previous: prevKv ? previous : undefined };
}

function applyDelete(keyspace: Keyspace, request: DeleteRangeRequest): DeleteRangeResult {
  const deleted = keyspace.deleteRange(keyRange(request.key, request.rangeEnd));
  return {
    kind: "delete",
    revision: keyspace.revisionInTxn,
    deleted: deleted.length,
    previous: request.prevKv ? deleted : [],
  };
}
