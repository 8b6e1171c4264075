import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { KeelError } from "../../src/base/errors.ts";
import { paintFor, printable, stripColour } from "../../src/cli/colour.ts";
import { chooseColumns, paintColumn, renderTable, shortId } from "../../src/cli/table.ts";
import type { Column } from "../../src/cli/table.ts";

interface Row {
  readonly name: string;
  readonly state: string;
  readonly id: string;
}

const columns: readonly Column<Row>[] = [
  { name: "name", cell: (row) => row.name },
  { name: "state", cell: (row) => row.state },
  { name: "id", cell: (row, look) => shortId(row.id, look) },
];
const rows: readonly Row[] = [
  { name: "a", state: "healthy", id: "0123456789abcdef" },
  { name: "longer", state: "", id: "f" },
];

describe("tables", () => {
  test("columns are as wide as their widest cell, empty cells are dashes", () => {
    assert.equal(
      renderTable(columns, rows),
      "NAME    STATE    ID\na       healthy  01234567...\nlonger  -        f\n",
    );
  });

  test("--full and --no-legend", () => {
    const text = renderTable(columns, rows, { full: true, legend: false });
    assert.equal(text, "a       healthy  0123456789abcdef\nlonger  -        f\n");
  });

  test("--fields chooses and orders; an unknown field is refused with those that there are", () => {
    assert.deepEqual(
      chooseColumns(columns, ["id", "name"], ["name"]).map((column) => column.name),
      ["id", "name"],
    );
    assert.throws(
      () => chooseColumns(columns, ["colour"], []),
      (error) =>
        error instanceof KeelError && error.exitCode === 2 && error.hint === "--fields=name,state,id",
    );
  });

  test("colour changes no width, and there is none outside a terminal or with NO_COLOR", () => {
    const paint = paintFor(true, {});
    const painted = renderTable(paintColumn(columns, "state", paint), rows);
    assert.notEqual(painted, renderTable(columns, rows));
    assert.equal(stripColour(painted), renderTable(columns, rows));
    for (const [isTTY, env] of [
      [false, {}],
      [true, { NO_COLOR: "1" }],
      [true, { TERM: "dumb" }],
    ] as const) {
      assert.equal(paintFor(isTTY, env)("red", "x"), "x");
    }
  });

  test("a cell stays on one line", () => {
    const text = renderTable([{ name: "reason", cell: () => "first\n\tsecond" }], [1]);
    assert.equal(text, "REASON\nfirst second\n");
  });

  test("control characters from elsewhere cannot reach the terminal", () => {
    assert.equal(printable("a\u001B[2Jb\u0007\r\n\tc\u009b"), "a^[[2Jb^G^M\n\tc\\x9b");
  });
});
