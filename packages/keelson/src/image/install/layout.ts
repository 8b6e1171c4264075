// Where the parts of an installed disk lie. os/partitions has the same for disks that are built.
import { randomUUID } from "node:crypto";
import { KeelError } from "../../base/errors.ts";
import { formatBytes } from "../../local/progress.ts";
import { partitions, slotBytes } from "../../model/os-image.ts";
import { partitionTypes, slotAttributes, tableSpace } from "../disk/partition-table.ts";
import type { Partition, PartitionTable } from "../disk/partition-table.ts";

const mebibyte = 1 << 20;
const espBytes = 1 << 30;
/** The least that is left for /var. */
const leastState = 512 * mebibyte;

/** What the partitions of an installation that did not come to its end are called. */
export const unfinished = "keelson-unfinished";

/** The smallest disk that takes the system. */
export const leastDisk = mebibyte + espBytes + 2 * slotBytes + leastState + mebibyte;

export interface Layout {
  readonly table: PartitionTable;
  readonly esp: Partition;
  readonly root: Partition;
  readonly state: Partition;
}

/** The partitions of a new disk, on whole MiB. KEEL-356 when it is too small. */
export function layOut(
  diskBytes: number,
  sectorBytes: number,
  architecture: keyof typeof partitionTypes.root,
): Layout {
  if (diskBytes < leastDisk)
    throw new KeelError(
      "KEEL-356",
      `the disk has ${formatBytes(diskBytes)}, the system needs ${formatBytes(leastDisk)}`,
    );
  const end = Math.floor((diskBytes - tableSpace(sectorBytes).tail) / mebibyte) * mebibyte;
  let at = mebibyte;
  const partition = (
    label: string,
    type: string,
    { bytes, attributes = 0n }: { readonly bytes: number; readonly attributes?: bigint },
  ): Partition => {
    const made = { label, type, uuid: randomUUID(), attributes, offset: at, bytes };
    at += bytes;
    return made;
  };
  const slot = { bytes: slotBytes, attributes: slotAttributes };
  const type = partitionTypes.root[architecture];
  const esp = partition(partitions.esp, partitionTypes.esp, { bytes: espBytes });
  const root = partition(partitions.slots.a, type, slot);
  const other = partition(partitions.slots.b, type, slot);
  const state = partition(partitions.state, partitionTypes.linux, { bytes: end - at });
  const table = { uuid: randomUUID(), sectorBytes, partitions: [esp, root, other, state] };
  return { table, esp, root, state };
}

/** The same table with labels by which nothing finds its parts. */
export function unfinishedTable(table: PartitionTable): PartitionTable {
  return {
    ...table,
    partitions: table.partitions.map((partition) => ({ ...partition, label: unfinished })),
  };
}
