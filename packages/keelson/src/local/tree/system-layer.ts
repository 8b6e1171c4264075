// The upper layer of a machine: os/root as it lies there, and Keelson's program in /usr/lib/keelson.
// Thin and quick to make, so that a change of code does not rebuild the tree.
import { chmod, chown, cp, link, lstat, mkdir, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { hashPaths } from "./file-hash.ts";
import { dashboardFiles, programBundle, strippedNode } from "./program.ts";
import type { ProgramOptions } from "./program.ts";

export const layerKind = "layers";
const programPath = "usr/lib/keelson";

/** The folder of the layer, made when it is not cached. */
export async function systemLayer(options: ProgramOptions): Promise<string> {
  const { repository, cache } = options;
  const bundle = await programBundle(options);
  const node = await strippedNode(options);
  const dashboard = await dashboardFiles(options);
  return cache.entry(
    layerKind,
    hashPaths(
      repository,
      ["os/root"],
      [bundle, node, dashboard].map((path) => basename(path)),
    ),
    async (folder) => {
      const program = join(folder, programPath);
      await copySystemFiles(repository, folder);
      await cp(bundle, program, { recursive: true });
      await cp(dashboard, join(program, "dashboard"), { recursive: true });
      await setModes(folder);
      await link(join(node, "node"), join(program, "node"));
    },
  );
}

/** The same layer without Keelson's program: a plain machine. */
export function plainLayer({ repository, cache }: ProgramOptions): Promise<string> {
  return cache.entry(layerKind, hashPaths(repository, ["os/root"], ["plain"]), async (folder) => {
    await copySystemFiles(repository, folder);
    await setModes(folder);
  });
}

async function copySystemFiles(repository: string, folder: string): Promise<void> {
  await cp(join(repository, "os/root"), folder, { recursive: true, verbatimSymlinks: true });
  await mkdir(join(folder, programPath, "dashboard"), { recursive: true });
}

/** Root owns everything; modes are those of a package, whatever the umask of the checkout was. */
async function setModes(path: string): Promise<void> {
  const info = await lstat(path);
  if (info.isSymbolicLink()) return;
  await chown(path, 0, 0);
  if (!info.isDirectory()) return chmod(path, info.mode & 0o111 ? 0o755 : 0o644);
  await chmod(path, 0o755);
  for (const name of await readdir(path)) await setModes(join(path, name));
}
