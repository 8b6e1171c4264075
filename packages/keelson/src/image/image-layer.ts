// What an image has and a local machine has not: os/image/root as it lies there, its own name and version, and the
// root of trust that says whose releases it believes.
import { chmod, cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import type { ContentCache } from "../local/tree/content-cache.ts";
import { hashPaths } from "../local/tree/file-hash.ts";
import { costFiles } from "../model/os-image.ts";
import type { Variant } from "../model/os-image.ts";

export interface ImageLayerOptions {
  readonly repository: string;
  readonly cache: ContentCache;
  readonly version: string;
  readonly variant: Variant;
  /** The file of the signed root of trust; without one the machine takes no updates. */
  readonly trust?: string;
  /** Of the release: releases/manifest.ts. 0 unless given. */
  readonly releaseEpoch?: number;
  /** The file of the packages' list, which the machine counts. */
  readonly packageList: string;
}

/** The folder of the layer, made when it is not cached. */
export async function imageLayer(options: ImageLayerOptions): Promise<string> {
  const { repository, cache, version, variant, releaseEpoch = 0 } = options;
  const trust = options.trust === undefined ? undefined : await readFile(options.trust);
  const believes = trust?.toString("base64") ?? "";
  const packages = await readFile(options.packageList);
  const facts = ["3", version, variant, String(releaseEpoch), believes, packages.toString()];
  const hash = hashPaths(repository, ["os/image/root", "os/budget.json", "os/stock.json"], facts);
  return cache.entry("image-layers", hash, async (folder) => {
    await cp(join(repository, "os/image/root"), folder, { recursive: true, verbatimSymlinks: true });
    await mkdir(join(folder, "usr/lib"), { recursive: true });
    await writeFile(join(folder, "usr/lib/os-release"), osRelease(version, variant, releaseEpoch));
    await mkdir(join(folder, "usr/lib/keelson"), { recursive: true });
    await cp(join(repository, "os/budget.json"), join(folder, costFiles.budget));
    await cp(join(repository, "os/stock.json"), join(folder, costFiles.stock));
    await writeFile(join(folder, costFiles.packages), packages);
    if (trust !== undefined) {
      await mkdir(join(folder, "usr/lib/keelson/trust"), { recursive: true });
      await writeFile(join(folder, "usr/lib/keelson/trust/root.json"), trust);
    }
    await setModes(folder);
  });
}

/** The text of /etc/os-release. */
export function osRelease(version: string, variant: Variant, releaseEpoch = 0): string {
  return [
    'NAME="Keelson OS"',
    "ID=keelson",
    "ID_LIKE=debian",
    `PRETTY_NAME="Keelson OS ${version} (${variant})"`,
    `VERSION_ID=${version}`,
    `VARIANT_ID=${variant}`,
    "IMAGE_ID=keelson-os",
    `IMAGE_VERSION=${version}`,
    `KEELSON_EPOCH=${releaseEpoch}`,
    'HOME_URL="https://github.com/keelson/keelson"',
    "",
  ].join("\n");
}

/** Modes are those of a package, whatever the umask of the checkout was. */
async function setModes(path: string): Promise<void> {
  const info = await lstat(path);
  if (info.isSymbolicLink()) return;
  if (!info.isDirectory()) return chmod(path, info.mode & 0o111 ? 0o755 : 0o644);
  await chmod(path, 0o755);
  for (const name of await readdir(path)) await setModes(join(path, name));
}
