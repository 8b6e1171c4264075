// The disk that a build has made, taken apart: its partitions, what is on its ESP, and which release it is.
import { open, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { entryFolder, parseBootEntry, partitions, variants } from "../../model/os-image.ts";
import type { ReleaseName } from "../../model/os-image.ts";
import { runTool } from "../../local/tree/tools-tree.ts";
import { readKernelImage } from "./kernel-image.ts";
import type { KernelImage } from "./kernel-image.ts";
import { readTable, tableSpace } from "./partition-table.ts";
import type { Partition, PartitionTable } from "./partition-table.ts";
import { readFully } from "./sparse-copy.ts";

export interface BuildDisk {
  readonly path: string;
  readonly bytes: number;
  readonly table: PartitionTable;
  readonly esp: Partition;
  /** The slot that holds the system. */
  readonly root: Partition;
  readonly state: Partition;
}

export interface BuildParts extends BuildDisk {
  readonly name: ReleaseName;
  readonly kernel: KernelImage;
  /** Folder with what is on the ESP. */
  readonly espFolder: string;
  /** The kernel image's file in it. */
  readonly kernelFile: string;
}

/** The raw disk of a build: the file itself, or the only one in a folder. KEEL-354 when there is none. */
export async function findRaw(input: string): Promise<string> {
  const info = await stat(input).catch(() => undefined);
  if (info === undefined)
    throw new KeelError("KEEL-354", `${input} is not there`, { hint: "`keel os build` makes a build" });
  if (!info.isDirectory()) return input;
  const disks = (await readdir(input)).filter((name) => name.endsWith(".raw")).toSorted();
  const [only] = disks;
  if (only !== undefined && disks.length === 1) return join(input, only);
  throw new KeelError(
    "KEEL-354",
    disks.length === 0 ? `${input} holds no disk (*.raw)` : `${input} holds ${disks.length} disks`,
    { hint: disks.length === 0 ? "`keel os build` makes one" : `name one: ${disks.join(", ")}` },
  );
}

/** Reads the partition table. KEEL-354 when it is not Keelson's. */
export async function readBuildDisk(path: string): Promise<BuildDisk> {
  const { size: bytes } = await stat(path);
  const head = Buffer.alloc(Math.min(bytes, tableSpace(4096).head));
  const file = await open(path, "r");
  try {
    await readFully(file, head, 0);
  } finally {
    await file.close();
  }
  const table = readTable(head, bytes);
  if (table === undefined) throw new KeelError("KEEL-354", `${path} has no partition table that can be read`);
  const partition = (label: string): Partition => {
    const found = table.partitions.find((candidate) => candidate.label === label);
    if (found === undefined) throw new KeelError("KEEL-354", `${path} has no partition ${label}`);
    return found;
  };
  return {
    path,
    bytes,
    table,
    esp: partition(partitions.esp),
    root: partition(partitions.slots.a),
    state: partition(partitions.state),
  };
}

/** Copies the ESP's files into an empty folder and reads the kernel image among them. KEEL-354 */
export async function takeApart(disk: BuildDisk, tools: string, folder: string): Promise<BuildParts> {
  await runTool(tools, ["mcopy", "-s", "-n", "-i", `${disk.path}@@${disk.esp.offset}`, "::/", folder], {
    binds: [dirname(disk.path), folder],
  }).catch((cause: unknown) => {
    throw new KeelError("KEEL-354", `the ESP of ${disk.path} cannot be read`, { cause });
  });
  const entries = (await readdir(join(folder, entryFolder)).catch(() => [])).filter(
    (name) => parseBootEntry(name) !== undefined,
  );
  const [entry] = entries;
  if (entry === undefined || entries.length > 1)
    throw new KeelError("KEEL-354", `the ESP of ${disk.path} holds ${entries.length} kernel images, not one`);
  const kernelFile = join(folder, entryFolder, entry);
  const bytes = await readFile(kernelFile);
  const kernel = readKernelImage(bytes);
  if (kernel === undefined) throw new KeelError("KEEL-354", `${entry} is no kernel image of Keelson’s`);
  return { ...disk, name: releaseName(kernel), kernel, espFolder: folder, kernelFile };
}

/** Debian's names by the machine that a PE program is for. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

export function releaseName({ version, variant, machine }: KernelImage): ReleaseName {
  const known = variants.find((name) => name === variant);
  const architecture = architectures[machine];
  if (known === undefined || architecture === undefined)
    throw new KeelError("KEEL-354", `a kernel image of variant ${variant} for ${machine} is not known here`);
  return { version, variant: known, architecture };
}
