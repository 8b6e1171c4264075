import type { InstanceView } from "../../api/wire/instance.ts";
import { withNextTry } from "../../model/next-try.ts";
import { formatAge } from "../duration.ts";
import { fleetStateColumns, fleetStateFields, readFleetMachines, readFleetStates } from "../fleet-lists.ts";
import type { Invocation, Register } from "../invocation.ts";
import { fieldList, withList } from "../options.ts";
import type { ListOptions } from "../options.ts";
import { chooseColumns, paintColumn, renderTable, shortHash, shortId } from "../table.ts";
import type { Column } from "../table.ts";
import { naturally, refuseUnknownNames, unitFilter } from "../unit-filter.ts";

const columns = (now: number): readonly Column<InstanceView>[] => [
  { name: "unit", cell: (instance) => instance.name },
  { name: "machine", cell: machineCell },
  { name: "state", cell: (instance) => instance.state },
  { name: "load", cell: (instance) => instance.load },
  { name: "active", cell: (instance) => instance.active },
  { name: "sub", cell: (instance) => instance.sub },
  { name: "addresses", cell: (instance) => instance.addresses.join(",") },
  { name: "since", cell: (instance) => (instance.since === null ? "" : formatAge(instance.since, now)) },
  { name: "reason", cell: (instance) => withNextTry(instance.reason, instance.failures, now) },
  { name: "unenforced", cell: ({ unenforced }) => unenforced?.join(",") ?? "" },
  { name: "failures", cell: ({ failures }) => (failures === null ? "" : String(failures.count)) },
  { name: "because", cell: (instance) => instance.because },
  { name: "hash", cell: (instance, look) => shortHash(instance.hash, look) },
  { name: "invocation", cell: (instance, look) => shortId(instance.invocation, look) },
  { name: "restarts", cell: (instance) => String(instance.restarts) },
];

const standard = ["unit", "machine", "state", "active", "sub", "addresses", "reason"];

/** `m2`; in full with its identity, as fleetctl's `id/ip`. */
function machineCell(instance: InstanceView, look: { readonly full: boolean }): string {
  if (instance.machine === null) return "";
  const name = instance.machineName ?? shortId(instance.machine, look);
  return look.full ? `${name}/${instance.machine}` : name;
}

async function asFleetctl(
  { daemon, output }: Invocation,
  args: readonly string[],
  options: ListOptions,
): Promise<void> {
  const client = await daemon();
  const wanted = unitFilter(args);
  const all = await readFleetStates(client);
  const states = all.filter(({ name }) => wanted({ name, unit: name }));
  const machines = states.length === 0 ? [] : await readFleetMachines(client);
  const chosen = chooseColumns(fleetStateColumns(machines), fieldList(options), fleetStateFields);
  output.list({
    name: "states",
    type: "state",
    items: states,
    text: () => renderTable(chosen, states, options),
  });
}

export const register: Register = (program, act) => {
  const command = program
    .command("list-units")
    .argument("[units...]", "only these units, or patterns")
    .description("List every instance with its machine and systemd’s states.")
    .option("-a, --all", "with the files that only accompany units: networks, volumes");
  withList(
    command,
    columns(0).map((column) => column.name),
  );
  act<ListOptions & { readonly all?: boolean }>(command, async (keel, args, options) => {
    const { daemon, output, paint } = keel;
    if (keel.style === "fleetctl") return asFleetctl(keel, args, options);
    const snapshot = await (await daemon()).snapshot();
    const wanted = unitFilter(args);
    refuseUnknownNames(args, [
      ...snapshot.units.map(({ name }) => ({ name, unit: name })),
      ...snapshot.instances,
    ]);
    const instances = snapshot.instances
      .filter((instance) => (options.all === true || !instance.companion) && wanted(instance))
      .toSorted((a, b) => naturally(a.name, b.name) || naturally(a.machineName ?? "", b.machineName ?? ""));
    const chosen = chooseColumns(columns(snapshot.at), fieldList(options), standard);
    output.list({
      name: "instances",
      type: "instance",
      items: instances.map((instance) => ({ ...instance })),
      more: { revision: snapshot.revision },
      text: () => renderTable(paintColumn(chosen, "state", paint), instances, options),
    });
  });
};
