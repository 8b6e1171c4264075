// Puts one directory in the place of another. Two renames cannot be one, so what is meant is written down first:
// whoever starts next finishes it. There is always a directory to start with, the old one or the new one.
import { existsSync } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import * as z from "zod/mini";
import { describeError, KeelError } from "../base/errors.ts";
import { writeWhole } from "./manifest.ts";

export interface DirectorySwap {
  /** The place. */
  readonly place: string;
  /** What is to be there; on the same file system. */
  readonly incoming: string;
  /** Where goes what was there. Must not exist. */
  readonly kept: string;
}

const noteSuffix = ".swap";
const noteSchema = z.object({ incoming: z.string(), kept: z.string() });

export const swapSteps = ["noted", "put aside", "in place", "done"] as const;
export type SwapStep = (typeof swapSteps)[number];

/** Throws KEEL-703, and what was there is back then. `reached` is told of each step once it is on disk. */
export async function swapDirectories(
  swap: DirectorySwap,
  reached: (step: SwapStep) => void = () => undefined,
): Promise<void> {
  const { place, incoming, kept } = swap;
  try {
    if (existsSync(kept)) throw new Error(`${kept} is there already`);
    await writeWhole(place + noteSuffix, (write) => write(Buffer.from(JSON.stringify({ incoming, kept }))));
    reached("noted");
    await move(place, kept);
    reached("put aside");
    await move(incoming, place);
    reached("in place");
    await rm(place + noteSuffix);
    reached("done");
  } catch (cause) {
    await takeBack(swap);
    if (cause instanceof KeelError) throw cause;
    throw new KeelError("KEEL-703", `${place} cannot be replaced: ${describeError(cause)}`, { cause });
  }
}

/**
 * Ends a swap that was broken off: back while the old directory was in its place, forward afterwards. Resolves with
 * what is in the place now; undefined when no swap was begun. Throws KEEL-703.
 */
export async function settleSwap(place: string): Promise<"old" | "new" | undefined> {
  const note = await readNote(place);
  if (note === undefined) return undefined;
  const { incoming, kept } = note;
  try {
    if (!existsSync(place)) await move(existsSync(incoming) ? incoming : kept, place);
    await rm(place + noteSuffix);
    return existsSync(kept) ? "new" : "old";
  } catch (cause) {
    throw new KeelError("KEEL-703", `${place} cannot be put in order: ${describeError(cause)}`, { cause });
  }
}

async function takeBack({ place, incoming, kept }: DirectorySwap): Promise<void> {
  const note = await readNote(place);
  if (note === undefined) return;
  if (existsSync(kept)) {
    if (existsSync(place)) await move(place, incoming);
    await move(kept, place);
  }
  await rm(place + noteSuffix, { force: true });
}

async function readNote(place: string): Promise<z.infer<typeof noteSchema> | undefined> {
  const path = place + noteSuffix;
  try {
    return noteSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new KeelError("KEEL-703", `${path} cannot be read: ${describeError(cause)}`, { cause });
  }
}

async function move(from: string, to: string): Promise<void> {
  await rename(from, to);
  for (const folder of new Set([dirname(from), dirname(to)])) {
    await using handle = await open(folder, "r");
    await handle.sync();
  }
}
