// Lists as fleetctl prints them, from fleet's own API: its columns, its hashes, its three states.
import * as z from "zod/mini";
import type { DaemonClient } from "./daemon/client.ts";
import { shortId } from "./table.ts";
import type { CellLook, Column } from "./table.ts";

const text = z._default(z.string(), "");
const unitSchema = z.looseObject({
  name: text,
  machineID: text,
  desiredState: text,
  currentState: text,
  options: z._default(z.array(z.looseObject({ section: text, name: text, value: text })), []),
});
const stateSchema = z.looseObject({
  name: text,
  hash: text,
  machineID: text,
  systemdLoadState: text,
  systemdActiveState: text,
  systemdSubState: text,
});
const machineSchema = z.looseObject({
  id: text,
  primaryIP: text,
  metadata: z._default(z.record(z.string(), z.string()), {}),
});
export type FleetUnitRow = z.infer<typeof unitSchema>;
export type FleetStateRow = z.infer<typeof stateSchema>;
export type FleetMachineRow = z.infer<typeof machineSchema>;

export const readFleetUnits = (client: DaemonClient): Promise<readonly FleetUnitRow[]> =>
  pages(client, "units", unitSchema);
export const readFleetStates = (client: DaemonClient): Promise<readonly FleetStateRow[]> =>
  pages(client, "state", stateSchema, "states");
export const readFleetMachines = (client: DaemonClient): Promise<readonly FleetMachineRow[]> =>
  pages(client, "machines", machineSchema);

/** All pages of a list. */
async function pages<T>(
  client: DaemonClient,
  path: string,
  ...[item, field = path]: readonly [item: z.ZodMiniType<T>, field?: string]
): Promise<readonly T[]> {
  const page = z.looseObject({ nextPageToken: text, [field]: z._default(z.array(item), []) });
  const all: T[] = [];
  for (let token = ""; ;) {
    const query = token === "" ? "" : `?nextPageToken=${encodeURIComponent(token)}`;
    const answer = await client.read<Record<string, unknown>>(`/fleet/v1/${path}${query}`, page);
    all.push(...(answer[field] as T[]));
    token = answer["nextPageToken"] as string;
    if (token === "") return all;
  }
}

/** `8b3f12aa.../10.0.0.2`, as fleetctl calls a machine. */
function machineWords(id: string, machines: readonly FleetMachineRow[], look: CellLook): string {
  if (id === "") return "";
  const address = machines.find((machine) => machine.id === id)?.primaryIP ?? "";
  return address === "" ? shortId(id, look) : `${shortId(id, look)}/${address}`;
}

const shortHash = (hash: string, { full }: CellLook): string => (full ? hash : hash.slice(0, 7));

export const fleetMachineColumns: readonly Column<FleetMachineRow>[] = [
  { name: "machine", cell: ({ id }, look) => shortId(id, look) },
  { name: "ip", cell: ({ primaryIP }) => primaryIP },
  {
    name: "metadata",
    cell: ({ metadata }) =>
      Object.entries(metadata)
        .map(([key, value]) => `${key}=${value}`)
        .toSorted()
        .join(","),
  },
];
export const fleetMachineFields = ["machine", "ip", "metadata"] as const;

export const fleetStateColumns = (machines: readonly FleetMachineRow[]): readonly Column<FleetStateRow>[] => [
  { name: "unit", cell: ({ name }) => name },
  { name: "load", cell: ({ systemdLoadState }) => systemdLoadState },
  { name: "active", cell: ({ systemdActiveState }) => systemdActiveState },
  { name: "sub", cell: ({ systemdSubState }) => systemdSubState },
  { name: "machine", cell: ({ machineID }, look) => machineWords(machineID, machines, look) },
  { name: "hash", cell: ({ hash }, look) => shortHash(hash, look) },
];
export const fleetStateFields = ["unit", "machine", "active", "sub"] as const;

/** A unit with fleet's hash of its options. */
export interface HashedUnit extends FleetUnitRow {
  readonly hash: string;
}

export const fleetUnitColumns = (machines: readonly FleetMachineRow[]): readonly Column<HashedUnit>[] => {
  const target = (unit: HashedUnit, look: CellLook): string =>
    isGlobal(unit) ? "global" : machineWords(unit.machineID, machines, look);
  return [
    { name: "unit", cell: ({ name }) => name },
    { name: "hash", cell: ({ hash }, look) => shortHash(hash, look) },
    { name: "dstate", cell: ({ desiredState }) => desiredState },
    { name: "state", cell: (unit) => (isGlobal(unit) ? "" : unit.currentState) },
    { name: "target", cell: target },
    { name: "tmachine", cell: target },
    { name: "global", cell: (unit) => String(isGlobal(unit)) },
    { name: "desc", cell: (unit) => valueOf(unit, "Unit", "Description") ?? "" },
  ];
};
export const fleetUnitFields = ["unit", "hash", "dstate", "state", "target"] as const;

/** By its file; the last word counts. */
export const isGlobal = (unit: FleetUnitRow): boolean =>
  /^(1|t|true|y|yes|on)$/i.test(valueOf(unit, "X-Fleet", "Global") ?? "");

/** The first description counts, the last of everything else. */
function valueOf({ options }: FleetUnitRow, section: string, name: string): string | undefined {
  const fitting = options.filter((option) => option.section === section && option.name === name);
  return (name === "Description" ? fitting[0] : fitting.at(-1))?.value;
}
