// Kills what runs in a unit's containers and leaves podman's own processes alone, so that they clean up behind
// it. Quadlet runs containers with --cgroups=split: their processes lie in cgroups of their own below the unit's.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const cgroupRoot = "/sys/fs/cgroup";

/** `mainPid`: the unit's main process, which is podman's conmon. Returns whether there was a container. */
export async function killContainers(mainPid: number): Promise<boolean> {
  const path = /^0::(\/.*)$/m.exec(await readFile(`/proc/${mainPid}/cgroup`, "utf8"))?.[1];
  if (path === undefined) return false;
  // conmon itself lies in the unit's cgroup or in one directly below it.
  const folders = [join(cgroupRoot, path), join(cgroupRoot, dirname(path))];
  for (const folder of folders) {
    const payloads = (await readdir(folder)).filter((name) => name.startsWith("libpod-payload-"));
    await Promise.all(payloads.map((name) => writeFile(join(folder, name, "cgroup.kill"), "1")));
    if (payloads.length > 0) return true;
  }
  return false;
}
