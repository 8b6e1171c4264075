import { KeelError } from "../../base/errors.ts";
import type { Register } from "../invocation.ts";
import { fieldList, withList } from "../options.ts";
import type { ListOptions } from "../options.ts";
import { runColumns, runRows } from "../run-rows.ts";
import { chooseColumns, paintColumn, renderTable } from "../table.ts";
import { resolveUnits } from "../unit-arguments.ts";

const standard = ["unit", "run", "state", "machine", "attempts", "started", "took", "cause", "reason"];

export const register: Register = (program, act) => {
  const command = program
    .command("runs")
    .argument("<units...>", "units, instances, or patterns in quotes")
    .description("Show the runs of units that run to their end, the newest first: the last 20 are kept.");
  withList(
    command,
    runColumns(0).map((column) => column.name),
  );
  act<ListOptions>(command, async ({ daemon, output, paint, clock }, args, options) => {
    const client = await daemon();
    const names = new Set(resolveUnits(args, await client.snapshot()));
    const { revision, jobs } = await client.jobs();
    const wanted = jobs.filter(({ instance, unit }) => names.has(instance) || names.has(unit));
    if (wanted.length === 0) {
      const [name = ""] = names;
      throw new KeelError("KEEL-561", `${name} has no runs`, {
        hint: `\`keel start ${name}\` runs a unit with Type=oneshot to its end; \`keel jobs\` lists those that have run.`,
        details: { units: [...names] },
      });
    }
    const rows = wanted.flatMap(runRows);
    const chosen = chooseColumns(runColumns(clock.wall()), fieldList(options), standard);
    output.list({
      name: "runs",
      type: "run",
      items: rows.map((row) => ({ ...row })),
      more: { revision },
      text: () => renderTable(paintColumn(chosen, "state", paint), rows, options),
    });
  });
};
