import type { Operation } from "../../model/operation.ts";
import type { OperationSummary, OperationView } from "../wire/operation.ts";

export function operationSummary(operation: Operation): OperationSummary {
  const { id, summary, kind, who, via, at, expires, state, impact, changes, records, undoOf, undoneBy } =
    operation;
  return {
    id,
    summary,
    kind,
    who,
    via,
    at,
    expires,
    state,
    impact,
    units: changes.length,
    ...(records === undefined ? {} : { records: records.length }),
    undoOf: undoOf ?? null,
    undoneBy: undoneBy ?? null,
  };
}

export function operationView(operation: Operation): OperationView {
  return { ...operationSummary(operation), changes: operation.changes };
}

/** Newest first: identities sort by time. */
export function newestFirst(operations: Iterable<Operation>): Operation[] {
  return [...operations].sort((a, b) => (a.id < b.id ? 1 : -1));
}
