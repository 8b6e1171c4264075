// A disk with a label, mounted read-only for as long as it is read. What is on it may be hostile: no device files, no
// programs, no links out of it.
import { lstat, mkdir, open, readdir, realpath, rmdir } from "node:fs/promises";
import { constants } from "node:fs";
import { join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { runProgram } from "../../host/run-program.ts";
import type { Disk, OpenDisk } from "./source.ts";

/** Disks of this machine. They are mounted below `folder`, which only root may enter. */
export function labelledDisks(diskLabels: string, folder: string): OpenDisk {
  return async (labels) => {
    const present = new Set(await readdir(diskLabels).catch(() => []));
    const label = labels.find((name) => present.has(name));
    if (label === undefined) return undefined;
    const device = await realpath(join(diskLabels, label));
    const place = join(folder, "disk");
    await mkdir(place, { recursive: true, mode: 0o700 });
    const { status, stderr } = await runProgram(
      ["mount", "-o", "ro,nosuid,nodev,noexec", "--", device, place],
      { timeoutMs: 20_000 },
    );
    if (status !== 0)
      throw new KeelError(
        "KEEL-842",
        `${device} (${label}) cannot be mounted: ${stderr.trim().slice(0, 300)}`,
      );
    const close = async (): Promise<void> => {
      await runProgram(["umount", "--", place], { timeoutMs: 20_000 });
      await rmdir(place).catch(() => undefined);
    };
    return diskAt(place, device, close);
  };
}

/** A folder as a disk. */
export function diskAt(folder: string, device: string, close = (): Promise<void> => Promise.resolve()): Disk {
  return {
    device,
    async read(path, maxBytes) {
      let current = folder;
      for (const part of path.split("/").slice(0, -1)) {
        current = join(current, part);
        const there = await lstat(current).catch(() => undefined);
        if (there?.isDirectory() !== true) return undefined;
      }
      let file;
      try {
        file = await open(
          join(folder, path),
          constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
        );
      } catch {
        return undefined;
      }
      try {
        const facts = await file.stat();
        if (!facts.isFile()) return undefined;
        if (facts.size > maxBytes)
          throw new KeelError("KEEL-842", `${path} on ${device} is larger than ${maxBytes} bytes`);
        return await file.readFile();
      } finally {
        await file.close();
      }
    },
    [Symbol.asyncDispose]: close,
  };
}
