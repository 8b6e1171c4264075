import type { UnitView } from "../../api/wire.ts";
import { formatAge } from "../duration.ts";
import type { Register } from "../invocation.ts";
import { fieldList, withList } from "../options.ts";
import type { ListOptions } from "../options.ts";
import { chooseColumns, paintColumn, renderTable, shortHash } from "../table.ts";
import type { Column } from "../table.ts";
import { naturally, refuseUnknownNames, unitFilter } from "../unit-filter.ts";

const columns = (now: number): readonly Column<UnitView>[] => [
  { name: "unit", cell: (unit) => unit.name },
  { name: "hash", cell: (unit, look) => shortHash(unit.hash, look) },
  { name: "dstate", cell: (unit) => unit.desired },
  { name: "state", cell: (unit) => unit.state },
  { name: "healthy", cell: (unit) => (unit.wanted === 0 ? "" : `${unit.healthy}/${unit.wanted}`) },
  { name: "replicas", cell: (unit) => (unit.name.includes("@.") ? String(unit.replicas) : "") },
  { name: "restarts", cell: (unit) => String(unit.restarts) },
  { name: "generation", cell: (unit) => String(unit.generation) },
  { name: "owner", cell: (unit) => unit.owner },
  { name: "created", cell: (unit) => formatAge(unit.created, now) },
  { name: "changed", cell: (unit) => formatAge(unit.changed, now) },
  { name: "reason", cell: (unit) => unit.reason },
];

const standard = ["unit", "hash", "dstate", "state", "healthy", "reason"];

export const register: Register = (program, act) => {
  const command = program
    .command("list-unit-files")
    .argument("[units...]", "only these units, or patterns")
    .description("List every unit that the cluster knows, with its desired and its real state.");
  withList(
    command,
    columns(0).map((column) => column.name),
  );
  act<ListOptions>(command, async ({ daemon, output, paint }, args, options) => {
    const snapshot = await (await daemon()).snapshot();
    const wanted = unitFilter(args);
    refuseUnknownNames(
      args,
      snapshot.units.map(({ name }) => ({ name, unit: name })),
    );
    const units = snapshot.units
      .filter((unit) => wanted({ name: unit.name, unit: unit.name }))
      .toSorted((a, b) => naturally(a.name, b.name));
    const chosen = chooseColumns(columns(snapshot.at), fieldList(options), standard);
    output.list({
      name: "units",
      type: "unit",
      items: units.map((unit) => ({ ...unit })),
      more: { revision: snapshot.revision },
      text: () => renderTable(paintColumn(chosen, "state", paint), units, options),
    });
  });
};
