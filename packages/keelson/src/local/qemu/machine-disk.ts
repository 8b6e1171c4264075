// What a cluster's virtual machines are made of, and the disk of one: it holds only what differs from the image.
import { existsSync } from "node:fs";
import { copyFile, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { CommandError, runCommand } from "../command.ts";
import type { MachinePaths } from "../launch.ts";
import type { Accelerator } from "./accelerator.ts";
import { emulatorCommand, firmwareFiles } from "./emulator.ts";

/** What a cluster's virtual machines are made of. */
export interface QemuBase {
  /** The raw disk image; it must stay as it is while machines live. */
  readonly image: string;
  /** The tree with QEMU and its firmware; the host's own are used when undefined. */
  readonly tools?: string;
  readonly accelerator: Accelerator["name"];
  /** Of a machine that asks for nothing else. */
  readonly memoryBytes: number;
  readonly processors: number;
  /** The size that machines see their disk in; it takes room as it is used. */
  readonly diskBytes: number;
}

/** The file in a machine's folder that names the image which its disk lies over. */
export const imageNote = "image";

export const diskFile = ({ folder }: MachinePaths): string => join(folder, "disk.qcow2");
/** The firmware's variables: a copy of the machine's own. */
export const variablesFile = ({ folder }: MachinePaths): string => join(folder, "variables.fd");

/** Makes the disk and the firmware's variables at the first start. Returns the image that the disk lies over. KEEL-312 */
export async function ensureDisk(
  { image, tools, diskBytes }: QemuBase,
  paths: MachinePaths,
): Promise<string> {
  const { folder } = paths;
  const disk = diskFile(paths);
  const noted = join(folder, imageNote);
  if (existsSync(disk)) return await readFile(noted, "utf8");
  await copyFile(join(tools ?? "/", firmwareFiles.variables), variablesFile(paths));
  const made = `${disk}.new`;
  const argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, made, String(diskBytes)];
  try {
    await runCommand(emulatorCommand(tools, argv, [dirname(image), folder]));
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    throw new KeelError("KEEL-312", `a disk over ${image} could not be made: ${cause.message}`, { cause });
  }
  await writeFile(noted, image);
  await rename(made, disk);
  return image;
}
