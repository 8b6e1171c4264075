// What is in each block of an image: a hash, to find the same block elsewhere, and a mark, to find a similar one.
import { createHash } from "node:crypto";
import type { ImageReader } from "./apply-delta.ts";
import { blockBytes } from "./delta-format.ts";

export interface ImageIndex {
  readonly sha256: string;
  /** Equal for equal blocks. Whoever applies a delta compares the whole result, so half a hash is enough. */
  readonly blocks: readonly string[];
  /** Two blocks that share most of their bytes, at whatever place in them, likely have one mark. */
  readonly marks: Uint32Array;
}

/** Blocks that are read at once: 1 MiB. */
const readBlocks = 256;
/** Bytes that a mark is made from. */
const window = 24;

/** Reads the image once, from its beginning to its end. */
export async function indexImage(image: ImageReader, signal?: AbortSignal): Promise<ImageIndex> {
  const whole = createHash("sha256");
  const blocks: string[] = [];
  const marks = new Uint32Array(image.size / blockBytes);
  for (let at = 0; at < image.size; at += readBlocks * blockBytes) {
    signal?.throwIfAborted();
    const chunk = await image.read(at, Math.min(readBlocks * blockBytes, image.size - at));
    whole.update(chunk);
    for (let start = 0; start < chunk.byteLength; start += blockBytes) {
      const block = chunk.subarray(start, start + blockBytes);
      marks[blocks.length] = markOf(block);
      blocks.push(createHash("sha256").update(block).digest("latin1").slice(0, 16));
    }
  }
  return { sha256: whole.digest("hex"), blocks, marks };
}

/** The least of the hashes of all windows of the block: it moves with the bytes it was made from. */
export function markOf(block: Uint8Array): number {
  let rolling = 0;
  let least = 0xffffffff;
  for (let i = 0; i < block.byteLength; i++) {
    // Each byte is shifted out after as many steps as the number has bits.
    rolling = (Math.imul(rolling, 2) + Math.imul((block[i] ?? 0) + 1, 0x9e3779b1)) | 0;
    if (i < window) continue;
    const mixed = Math.imul(rolling ^ (rolling >>> 15), 0x85ebca6b) >>> 0;
    if (mixed < least) least = mixed;
  }
  return least;
}

/** Finds where in an image something like given blocks is. */
export class Likeness {
  readonly #places = new Map<number, number>();

  constructor(marks: Uint32Array) {
    // Marks of several blocks (zeros, padding) say nothing about a place.
    for (const [place, mark] of marks.entries()) this.#places.set(mark, this.#places.has(mark) ? -1 : place);
  }

  /** The block at which these blocks would begin, by most of the marks; undefined when too few are known. */
  find(marks: Uint32Array): number | undefined {
    const votes = new Map<number, { count: number; start: number }>();
    let best: { count: number; start: number } | undefined;
    for (const [i, mark] of marks.entries()) {
      const place = this.#places.get(mark);
      if (place === undefined || place < 0) continue;
      const start = place - i;
      const bin = Math.round(start / 64);
      const vote = votes.get(bin) ?? { count: 0, start };
      vote.count += 1;
      votes.set(bin, vote);
      if (best === undefined || vote.count > best.count) best = vote;
    }
    return best !== undefined && best.count * 32 >= marks.length ? best.start : undefined;
  }
}
