import { errorCatalogue } from "../../base/error-catalogue.ts";
import { KeelError, exitCode } from "../../base/errors.ts";
import type { Register } from "../invocation.ts";
import type { Output } from "../output.ts";
import { isErrorCode } from "../report-error.ts";
import { renderTable } from "../table.ts";

export const register: Register = (program, act) => {
  const command = program
    .command("explain")
    .argument("[code]", "KEEL-104, or just 104; all of them if absent")
    .description("Explain an error code: what it means and what to do.");
  act(command, async ({ output, paint }, [text]) => {
    if (text === undefined) return listCodes(output);
    const code = /^\d+$/.test(text) ? `KEEL-${text}` : text.toUpperCase();
    if (!isErrorCode(code)) {
      throw new KeelError("KEEL-104", `there is no error code "${text}"`, {
        hint: "keel explain lists them",
      });
    }
    const { title, meaning, remedy, exit } = errorCatalogue[code];
    output.document({ code, title, meaning, remedy, exitCode: exitCode[exit] }, () =>
      [
        `${paint("bold", `${code}: ${title}`)}`,
        "",
        meaning,
        "",
        `What to do: ${remedy}`,
        `Exit code: ${exitCode[exit]}`,
        "",
      ].join("\n"),
    );
  });
};

function listCodes(output: Output): void {
  const rows = Object.entries(errorCatalogue).map(([code, entry]) => ({
    code,
    title: entry.title,
    exitCode: exitCode[entry.exit],
  }));
  const columns = [
    { name: "code", cell: (row: (typeof rows)[number]) => row.code },
    { name: "exit", cell: (row: (typeof rows)[number]) => String(row.exitCode) },
    { name: "title", cell: (row: (typeof rows)[number]) => row.title },
  ];
  output.list({ name: "codes", type: "code", items: rows, text: () => renderTable(columns, rows) });
}
