import type { Operation } from "../api/records.ts";
import { Ago } from "../element/ago.tsx";
import { CommandLine } from "../element/command-line.tsx";
import "./operation-list.css";

/** The latest changes, newest first, each with the line that takes it back. */
export function OperationList({
  operations,
  now,
}: {
  readonly operations: readonly Operation[];
  readonly now: number;
}) {
  return (
    <ol className="operation-list">
      {operations.map((operation) => (
        <li key={operation.id} data-operation={operation.id}>
          <div className="operation-words">
            <span className="operation-summary">{operation.summary}</span>
            <span className="operation-facts">
              {operation.who} with {operation.via}, <Ago at={operation.at} after=" ago" />
              {operation.state === "applying" ? ", being applied" : ""}
              {operation.undoneBy === null ? "" : ", undone"}
            </span>
          </div>
          {canUndo(operation, now) ? <CommandLine command={`keel undo ${operation.id}`} /> : null}
        </li>
      ))}
    </ol>
  );
}

function canUndo({ units, undoneBy, expires, state, kind }: Operation, now: number): boolean {
  return units > 0 && undoneBy === null && expires > now && state === "applied" && kind !== "restart";
}
