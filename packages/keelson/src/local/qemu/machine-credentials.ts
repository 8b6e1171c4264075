// The credentials that a virtual machine is started with: files that only root reads, named on the command line.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MachinePaths } from "../launch.ts";
import type { MachineRecord } from "../machine-records.ts";
import { identityCredentials } from "./identity.ts";
import type { NamedFile } from "./virtual-machine.ts";

/** Writes them as they are at this start, with the names that the cluster has now. `folder` is the cluster's. */
export async function handOver(
  { name, machineId }: MachineRecord,
  paths: MachinePaths,
  { cluster, folder }: { readonly cluster: string; readonly folder: string },
): Promise<readonly NamedFile[]> {
  const target = join(paths.folder, "handed");
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { mode: 0o700 });
  const own = identityCredentials({
    cluster,
    name,
    machineId,
    hosts: await readFile(join(folder, "hosts"), "utf8"),
    resolver: await readFile(join(folder, "resolv.conf"), "utf8"),
  });
  const given = await readdir(paths.credentials);
  const names = [...new Set([...given, ...Object.keys(own)])];
  for (const file of names) {
    const first = given.includes(file) ? await readFile(join(paths.credentials, file)) : Buffer.alloc(0);
    const content = Buffer.concat([first, Buffer.from(own[file] ?? "")]);
    await writeFile(join(target, file), content, { mode: 0o600 });
  }
  return names.map((file) => ({ name: file, path: join(target, file) }));
}
