// Machines made of folders that start from one of two slots, as machines with disks do: what an installation writes.
// updater/tree-slots/ is what starts them then, and changes them.
import { existsSync } from "node:fs";
import { copyFile, mkdir, open, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createZstdDecompress } from "node:zlib";
import { KeelError, describeError } from "../base/errors.ts";
import {
  bootEntryName,
  entryFolder,
  releaseFileName,
  slotBytes,
  treeDisk,
  variants,
} from "../model/os-image.ts";
import type { ReleaseName } from "../model/os-image.ts";
import { toolCommand } from "./tree/tools-tree.ts";

export interface TreeRelease {
  /** The file of a release's manifest; its other files lie beside it. */
  readonly manifest: string;
  /** The tree of tools, whose fsck.erofs unpacks root images. */
  readonly tools: string;
}

/** What chooses a slot, to be followed by the machine's folder. */
export const treeFirmware: readonly string[] = [
  process.execPath,
  join(import.meta.dirname, "../updater/tree-slots/start-tree.ts"),
];

const settingsFile = "tree.json";

/** Whether the machine of this folder starts from slots. */
export const hasTree = (folder: string): boolean => existsSync(join(folder, settingsFile));

/** Throws KEEL-104 for a file that is not named as a manifest is. */
export function releaseOf(manifest: string): ReleaseName {
  const match = /^keelson_(\d+\.\d+\.\d+)_([a-z]+)_([a-z0-9]+)\.manifest\.json$/.exec(basename(manifest));
  const [, version = "", word, architecture = ""] = match ?? [];
  const variant = variants.find((one) => one === word);
  if (variant !== undefined) return { version, variant, architecture };
  throw new KeelError("KEEL-104", `${manifest} is not a release’s manifest`, {
    hint: "keelson_1.0.0_vm_amd64.manifest.json, with the files of the release beside it",
  });
}

/**
 * Puts a release into the first slot of a machine that has none, as a good one. `base` are layers below a release that
 * holds only what is Keelson's own. Throws KEEL-302 when its files cannot be read. One that was broken off is made anew.
 */
export async function installTree(
  folder: string,
  { manifest, tools }: TreeRelease,
  base: readonly string[],
): Promise<void> {
  if (hasTree(folder)) return;
  const name = releaseOf(manifest);
  const from = dirname(manifest);
  const tree = join(folder, "tree");
  const menu = join(tree, treeDisk.esp, entryFolder);
  try {
    await mkdir(menu, { recursive: true, mode: 0o700 });
    const slot = join(tree, treeDisk.slots.a);
    const packed = createReadStream(join(from, releaseFileName(name, "root.zst")));
    await pipeline(packed, createZstdDecompress(), createWriteStream(slot, { mode: 0o600 }));
    await using file = await open(slot, "r+");
    await file.truncate(slotBytes);
    const kernel = join(from, releaseFileName(name, "efi"));
    await copyFile(kernel, join(menu, bootEntryName({ version: name.version })));
  } catch (cause) {
    throw new KeelError("KEEL-302", `${manifest} cannot be installed: ${describeError(cause)}`, { cause });
  }
  // Of the layers only the lowest is no release's own.
  const unpack = toolCommand(tools, ["fsck.erofs", "--extract=FOLDER", "IMAGE"], [tree]);
  await writeFile(join(folder, settingsFile), JSON.stringify({ unpack, base: base.slice(-1) }));
}
