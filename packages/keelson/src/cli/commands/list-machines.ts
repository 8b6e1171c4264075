import type { AmountsView, MachineView } from "../../api/wire/machine.ts";
import { cpusInWords, memoryInWords } from "../../scheduler/board/room.ts";
import { formatAge } from "../duration.ts";
import { fleetMachineColumns, fleetMachineFields, readFleetMachines } from "../fleet-lists.ts";
import type { Invocation, Register } from "../invocation.ts";
import { outOfServiceWord } from "../machine-words.ts";
import { fieldList, withList } from "../options.ts";
import type { ListOptions } from "../options.ts";
import { chooseColumns, paintColumn, renderTable, shortId } from "../table.ts";
import type { Column } from "../table.ts";

const columns = (now: number): readonly Column<MachineView>[] => [
  { name: "machine", cell: (machine, look) => shortId(machine.id, look) },
  { name: "name", cell: (machine) => machine.name },
  { name: "ip", cell: (machine) => machine.address },
  { name: "state", cell: stateWords },
  { name: "leader", cell: (machine) => (machine.leader ? "leader" : "") },
  { name: "instances", cell: (machine) => String(machine.instances) },
  { name: "since", cell: (machine) => formatAge(machine.since, now) },
  {
    name: "metadata",
    cell: (machine) =>
      Object.entries(machine.metadata)
        .map(([key, value]) => `${key}=${value}`)
        .join(","),
  },
  { name: "os", cell: (machine) => (machine.os === null ? "" : `${machine.os.id} ${machine.os.version}`) },
  { name: "kernel", cell: (machine) => machine.os?.kernel ?? "" },
  { name: "keeld", cell: (machine) => machine.keeldVersion },
  { name: "cpus", cell: (machine) => String(machine.capacity?.cpus ?? "") },
  {
    name: "memory",
    cell: (machine) => (machine.capacity === null ? "" : memoryInWords(machine.capacity.memoryBytes)),
  },
  { name: "allocatable", cell: (machine) => amountsCell(machine.allocatable) },
  { name: "requested", cell: (machine) => amountsCell(machine.requested) },
  { name: "free", cell: (machine) => amountsCell(machine.room && left(machine.room, machine.requested)) },
  { name: "unenforced", cell: (machine) => machine.capacity?.unenforced.join(",") ?? "" },
];

/** `up`, `up, cordoned`, `up, draining`, `up, drained`. */
function stateWords(machine: MachineView): string {
  const word = outOfServiceWord(machine);
  return word === undefined ? machine.state : `${machine.state}, ${word}`;
}

/** `1.7 GiB, 2 CPU`. */
const amountsCell = (amounts: AmountsView | null): string =>
  amounts === null
    ? ""
    : `${memoryInWords(amounts.memoryBytes)}, ${cpusInWords(Math.round(amounts.cpus * 1000))} CPU`;

const left = (room: AmountsView, taken: AmountsView): AmountsView => ({
  memoryBytes: Math.max(0, room.memoryBytes - taken.memoryBytes),
  cpus: Math.max(0, room.cpus - taken.cpus),
});

const standard = ["machine", "name", "ip", "state", "instances", "metadata"];

async function asFleetctl({ daemon, output }: Invocation, options: ListOptions): Promise<void> {
  const machines = await readFleetMachines(await daemon());
  const chosen = chooseColumns(fleetMachineColumns, fieldList(options), fleetMachineFields);
  output.list({
    name: "machines",
    type: "machine",
    items: machines,
    text: () => renderTable(chosen, machines, options),
  });
}

export const register: Register = (program, act) => {
  const command = program
    .command("list-machines")
    .description("List the machines of the cluster: those that are up, and those that it remembers.");
  withList(
    command,
    columns(0).map((column) => column.name),
  );
  act<ListOptions>(command, async (keel, _args, options) => {
    const { daemon, output, paint } = keel;
    if (keel.style === "fleetctl") return asFleetctl(keel, options);
    const snapshot = await (await daemon()).snapshot();
    const chosen = chooseColumns(columns(snapshot.at), fieldList(options), standard);
    output.list({
      name: "machines",
      type: "machine",
      items: snapshot.machines.map((machine) => ({ ...machine })),
      more: { revision: snapshot.revision },
      text: () => renderTable(paintColumn(chosen, "state", paint), snapshot.machines, options),
    });
  });
};
