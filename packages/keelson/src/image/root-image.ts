// The content of a root slot: an erofs, made of layers, with its dm-verity tree behind it.
import { createHash } from "node:crypto";
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../base/errors.ts";
import { runCommand } from "../local/command.ts";
import { slotBytes } from "../model/os-image.ts";
import { runTool, toolCommand } from "../local/tree/tools-tree.ts";

const block = 4096;

export interface RootImage {
  readonly path: string;
  readonly bytes: number;
  readonly uuid: string;
  readonly verity: { readonly rootHash: string; readonly salt: string; readonly blocks: number };
}

export interface RootImageOptions {
  readonly tools: string;
  /** Folders, uppermost first. */
  readonly layers: readonly string[];
  /** A folder for the image and for what is only needed while it is made. */
  readonly folder: string;
  /** What the UUID is derived from. */
  readonly seed: string;
  /** The time of every file, seconds since 1970. */
  readonly epoch: number;
}

// $1 lower folders, $2 where to mount them, then the program.
const merged = 'mount -t overlay -o "lowerdir=$1" overlay "$2"; shift 2; exec "$@"';

/** Writes root.img. Throws KEEL-332 when it does not fit into a slot. */
export async function rootImage(options: RootImageOptions): Promise<RootImage> {
  const { tools, layers, folder, seed, epoch } = options;
  const path = join(folder, "root.img");
  const tree = join(folder, "merged");
  await rm(path, { force: true });
  await mkdir(tree, { recursive: true });
  const uuid = uuidOf(seed);
  const erofs = ["mkfs.erofs", "--quiet", `-T${epoch}`, "--all-time", "-U", uuid, `-b${block}`, path, tree];
  await runCommand([
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "--",
    "sh",
    "-ec",
    merged,
    "sh",
    layers.join(":"),
    tree,
    ...toolCommand(tools, erofs, [folder]),
  ]);
  const bytes = (await stat(path)).size;
  // One salt for all versions: blocks that stay keep their hashes, and deltas stay small.
  const salt = createHash("sha256").update("keelson root").digest("hex");
  const blocks = bytes / block;
  const output = await runTool(
    tools,
    [
      "veritysetup",
      "format",
      "--no-superblock",
      `--salt=${salt}`,
      `--data-blocks=${blocks}`,
      `--hash-offset=${bytes}`,
      path,
      path,
    ],
    { binds: [folder] },
  );
  const rootHash = /^Root hash:\s+([0-9a-f]{64})$/m.exec(output)?.[1];
  if (rootHash === undefined) throw new KeelError("KEEL-332", `veritysetup named no root hash: ${output}`);
  const whole = (await stat(path)).size;
  if (whole > slotBytes)
    throw new KeelError("KEEL-332", `the root takes ${whole} bytes, a slot has ${slotBytes}`);
  return { path, bytes: whole, uuid, verity: { rootHash, salt, blocks } };
}

/** A UUID (version 4 in form) that is the same for the same text. */
export function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex").slice(0, 32).split("");
  hex[12] = "4";
  hex[16] = "89ab"[Number.parseInt(hex[16] ?? "0", 16) & 3] ?? "8";
  const digits = hex.join("");
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ]
    .map(([from, to]) => digits.slice(from, to))
    .join("-");
}
