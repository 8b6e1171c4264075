// The same inputs make the same bytes: builds once more beside the cache, and compares.
import { open, rm, mkdtemp, stat } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../base/errors.ts";
import { asStep } from "../local/progress.ts";
import { defaultCacheDirectory } from "../local/tree/machine-tree.ts";
import { assembleAgain } from "./build-image.ts";
import type { BuildOptions, BuiltImage } from "./build-image.ts";

const piece = 4 << 20;

/**
 * Makes tree, root file system, kernel image and disk again from the same packages and compares every byte with
 * what was built. KEEL-334 names the first file and byte that differ.
 */
export async function checkReproducible(options: BuildOptions, built: BuiltImage): Promise<void> {
  const folder = await mkdtemp(join(options.cacheDirectory ?? defaultCacheDirectory, "check-"));
  try {
    const again = await assembleAgain(options, folder);
    await asStep(options.progress, "compare both builds", async () => {
      await sameFile(built.root.path, again.root.path, "root.img");
      await sameFile(built.kernel, again.kernel, "kernel.efi");
      await sameFile(built.packageList, again.packageList, "packages.txt");
      await sameFile(built.disk, again.disk, "disk.raw");
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function sameFile(first: string, second: string, name: string): Promise<void> {
  const size = (await stat(first)).size;
  const other = (await stat(second)).size;
  if (size !== other)
    throw new KeelError("KEEL-334", `${name} has ${size} bytes once and ${other} bytes again`);
  await using a = await open(first, "r");
  await using b = await open(second, "r");
  const left = Buffer.alloc(piece);
  const right = Buffer.alloc(piece);
  for (let at = 0; at < size; at += piece) {
    const length = Math.min(piece, size - at);
    await a.read(left, 0, length, at);
    await b.read(right, 0, length, at);
    if (Buffer.compare(left.subarray(0, length), right.subarray(0, length)) === 0) continue;
    const byte = left.subarray(0, length).findIndex((value, index) => value !== right[index]);
    throw new KeelError("KEEL-334", `${name} differs at byte ${at + byte}`);
  }
}
