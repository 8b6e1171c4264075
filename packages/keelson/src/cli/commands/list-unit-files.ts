import type { UnitView } from "../../api/wire/unit.ts";
import { formatAge } from "../duration.ts";
import { optionsHash } from "../../api/fleet/options.ts";
import type { DaemonClient } from "../daemon/client.ts";
import { fleetUnitColumns, fleetUnitFields, readFleetMachines, readFleetUnits } from "../fleet-lists.ts";
import type { FleetMachineRow, HashedUnit } from "../fleet-lists.ts";
import type { Invocation, Register } from "../invocation.ts";
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

/** Columns that fleetctl has too, and that only a look into the files and at the machines can fill. */
const fromFleet = ["target", "tmachine", "global", "desc"] as const;

const fleetColumns = (rows: FleetRows): readonly Column<UnitView>[] =>
  fleetUnitColumns(rows.machines)
    .filter(({ name }) => fromFleet.some((field) => field === name))
    .map(({ name, cell }) => ({
      name,
      cell(unit, look) {
        const row = rows.units.get(unit.name);
        return row === undefined ? "" : cell(row, look);
      },
    }));

interface FleetRows {
  readonly units: ReadonlyMap<string, HashedUnit>;
  readonly machines: readonly FleetMachineRow[];
}

const noRows: FleetRows = { units: new Map(), machines: [] };

async function readRows(client: DaemonClient): Promise<FleetRows> {
  const [units, machines] = await Promise.all([readFleetUnits(client), readFleetMachines(client)]);
  const hashed = units.map((unit) => ({ ...unit, hash: optionsHash(unit.options) }));
  return { units: new Map(hashed.map((unit) => [unit.name, unit])), machines };
}

async function asFleetctl(
  { daemon, output }: Invocation,
  args: readonly string[],
  options: ListOptions,
): Promise<void> {
  const { units, machines } = await readRows(await daemon());
  const wanted = unitFilter(args);
  const shown = [...units.values()].filter(({ name }) => wanted({ name, unit: name }));
  const chosen = chooseColumns(fleetUnitColumns(machines), fieldList(options), fleetUnitFields);
  output.list({ name: "units", type: "unit", items: shown, text: () => renderTable(chosen, shown, options) });
}

export const register: Register = (program, act) => {
  const command = program
    .command("list-unit-files")
    .argument("[units...]", "only these units, or patterns")
    .description("List every unit that the cluster knows, with its desired and its real state.");
  withList(
    command,
    [...columns(0), ...fleetColumns(noRows)].map((column) => column.name),
  );
  act<ListOptions>(command, async (keel, args, options) => {
    const { daemon, output, paint } = keel;
    if (keel.style === "fleetctl") return asFleetctl(keel, args, options);
    const client = await daemon();
    const snapshot = await client.snapshot();
    const fields = fieldList(options);
    const needsRows = fields?.some((field) => fromFleet.some((name) => name === field.trim().toLowerCase()));
    const rows = needsRows === true ? await readRows(client) : noRows;
    const wanted = unitFilter(args);
    refuseUnknownNames(
      args,
      snapshot.units.map(({ name }) => ({ name, unit: name })),
    );
    const units = snapshot.units
      .filter((unit) => wanted({ name: unit.name, unit: unit.name }))
      .toSorted((a, b) => naturally(a.name, b.name));
    const chosen = chooseColumns([...columns(snapshot.at), ...fleetColumns(rows)], fields, standard);
    output.list({
      name: "units",
      type: "unit",
      items: units.map((unit) => ({ ...unit })),
      more: { revision: snapshot.revision },
      text: () => renderTable(paintColumn(chosen, "state", paint), units, options),
    });
  });
};
