import type { Register } from "../invocation.ts";
import { fieldList, withList } from "../options.ts";
import type { ListOptions } from "../options.ts";
import { runColumns, runRows } from "../run-rows.ts";
import { chooseColumns, paintColumn, renderTable } from "../table.ts";
import { refuseUnknownNames, unitFilter } from "../unit-filter.ts";

const standard = ["unit", "run", "state", "machine", "attempts", "started", "took", "cause", "reason"];

export const register: Register = (program, act) => {
  const command = program
    .command("jobs")
    .argument("[units...]", "only these units, or patterns")
    .description(
      "List units that run to their end, each with its newest run; a global one once for each machine.",
    );
  withList(
    command,
    runColumns(0).map((column) => column.name),
  );
  act<ListOptions>(command, async ({ daemon, output, paint, clock }, args, options) => {
    const client = await daemon();
    const { revision, jobs } = await client.jobs();
    // A unit that has no runs is no unknown one.
    const units = args.length === 0 ? [] : (await client.snapshot()).units;
    refuseUnknownNames(args, [
      ...jobs.map(({ instance, unit }) => ({ name: instance, unit })),
      ...units.map(({ name }) => ({ name, unit: name })),
    ]);
    const wanted = unitFilter(args);
    const chosenJobs = jobs.filter(({ instance, unit }) => wanted({ name: instance, unit }));
    const rows = chosenJobs.flatMap((job) => runRows(job).slice(0, 1));
    const chosen = chooseColumns(runColumns(clock.wall()), fieldList(options), standard);
    output.list({
      name: "jobs",
      type: "job",
      items: chosenJobs.map((job) => ({ ...job })),
      more: { revision },
      text: () => renderTable(paintColumn(chosen, "state", paint), rows, options),
    });
  });
};
