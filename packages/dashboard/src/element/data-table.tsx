// A table that becomes a list of cards where there is no room for its columns. The roles are written out,
// since browsers drop a table's meaning together with its layout.
import type { ReactNode } from "react";
import "./data-table.css";

export function DataTable({
  label,
  columns,
  children,
}: {
  readonly label: string;
  readonly columns: readonly string[];
  readonly children: ReactNode;
}) {
  return (
    <table className="data-table" role="table" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column} role="columnheader" scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">{children}</tbody>
    </table>
  );
}

/** The cell that names its row. */
export function HeadCell({ children }: { readonly children: ReactNode }) {
  return (
    <th role="rowheader" scope="row" className="data-table-head">
      {children}
    </th>
  );
}

/** `label` is the column's, shown where the header is not. */
export function Cell({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <td role="cell" data-label={label}>
      {children}
    </td>
  );
}
