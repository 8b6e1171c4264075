import { readFile, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { tryCommand } from "./command.ts";

/** Mount points at or below `folder`, deepest first, as /proc/self/mountinfo writes them. */
export function mountsBelow(mountinfo: string, folder: string): string[] {
  return mountinfo
    .split("\n")
    .map((line) =>
      (line.split(" ")[4] ?? "").replaceAll(/\\(\d{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    )
    .filter((path) => path === folder || path.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length);
}

/**
 * Removes a folder with all it holds, and nothing else: what is mounted below it is unmounted first. Mounts
 * of processes that were just killed may need a moment to go.
 */
export async function removeFolder(folder: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    for (const path of mountsBelow(await readFile("/proc/self/mountinfo", "utf8"), folder)) {
      await tryCommand(["umount", "--lazy", path]);
    }
    try {
      return await rm(folder, { recursive: true, force: true });
    } catch (error) {
      if (attempt === 20) throw error;
      await sleep(50);
    }
  }
}
