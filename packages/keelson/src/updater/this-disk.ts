// The disk that the running system was started from, whatever stands for it.
import { stat } from "node:fs/promises";
import { treeDisk } from "../model/os-image.ts";
import type { BootDisk } from "./disk-slots/boot-disk.ts";
import { LinuxDisk } from "./disk-slots/linux-disk.ts";
import { TreeDisk } from "./tree-slots/tree-disk.ts";

export async function thisDisk(): Promise<BootDisk> {
  const isTree = await stat(treeDisk.path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return isTree ? new TreeDisk() : new LinuxDisk();
}
