// The whole disk: partitions as os/partitions says, filled by systemd-repart without loop devices or mounts.
import { cp, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { entryFolder } from "../model/os-image.ts";
import { setTimes } from "./base-tree.ts";
import { uuidOf } from "./root-image.ts";
import { runTool } from "../local/tree/tools-tree.ts";

// A key that is held while the machine starts shows the menu.
const loaderConfiguration = "timeout 0\neditor no\n";

// systemd-boot(7): keys that lie here are enrolled by themselves in a virtual machine whose firmware has none, and
// from the menu elsewhere.
const enrolmentFolder = "loader/keys/auto";

export interface DiskImageOptions {
  readonly repository: string;
  readonly tools: string;
  /** A folder with root.img; `esp` and the disk are made in it. */
  readonly folder: string;
  readonly kernel: string;
  /** The name of the kernel's file in EFI/Linux. */
  readonly entry: string;
  /** systemd-boot, signed or not. */
  readonly loader: string;
  /** The firmware's keys by file name, for the boot loader to enrol. */
  readonly enrolment: ReadonlyMap<string, Uint8Array>;
  readonly epoch: number;
}

/** Writes disk.raw, a sparse file, and returns its path. */
export async function diskImage(options: DiskImageOptions): Promise<string> {
  const { repository, tools, folder, epoch } = options;
  const esp = join(folder, "esp");
  await rm(esp, { recursive: true, force: true });
  for (const name of ["EFI/BOOT", "EFI/systemd", entryFolder, "loader"]) {
    await mkdir(join(esp, name), { recursive: true });
  }
  await cp(options.loader, join(esp, "EFI/BOOT/BOOTX64.EFI"));
  await cp(options.loader, join(esp, "EFI/systemd/systemd-bootx64.efi"));
  await cp(options.kernel, join(esp, entryFolder, options.entry));
  await writeFile(join(esp, "loader/loader.conf"), loaderConfiguration);
  if (options.enrolment.size > 0) await mkdir(join(esp, enrolmentFolder), { recursive: true });
  for (const [name, bytes] of options.enrolment) await writeFile(join(esp, enrolmentFolder, name), bytes);
  await setTimes(esp, epoch);
  const definitions = join(folder, "partitions");
  await rm(definitions, { recursive: true, force: true });
  await cp(join(repository, "os/partitions"), definitions, { recursive: true });
  const path = join(folder, "disk.raw");
  const unfinished = `${path}.new`;
  await rm(unfinished, { force: true });
  await runTool(
    tools,
    [
      "env",
      `SOURCE_DATE_EPOCH=${epoch}`,
      "SYSTEMD_REPART_MKFS_OPTIONS_VFAT=-s 8",
      `SYSTEMD_REPART_MKFS_OPTIONS_EXT4=-E hash_seed=${uuidOf("keelson state")}`,
      "systemd-repart",
      "--offline=yes",
      "--empty=create",
      "--size=auto",
      "--sector-size=512",
      "--no-pager",
      "--dry-run=no",
      `--seed=${uuidOf("keelson disk")}`,
      `--root=${folder}`,
      `--definitions=${definitions}`,
      unfinished,
    ],
    { binds: [folder] },
  );
  await rename(unfinished, path);
  return path;
}
