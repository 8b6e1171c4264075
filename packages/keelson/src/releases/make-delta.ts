// Makes a delta of two root images. Their file systems are not compressed and keep their order, so nearly all blocks
// of a new version are somewhere in the old one; those are copied. What is left (changed files, inodes, hashes) is
// compressed against the part of the old image where its like is.
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import type { ImageReader } from "./apply-delta.ts";
import {
  blockBytes,
  deltaEnd,
  encodeHead,
  encodeStep,
  mostBaseBlocks,
  mostPieceBlocks,
} from "./delta-format.ts";
import type { DeltaHead } from "./delta-format.ts";
import { planRuns } from "./delta-plan.ts";
import { indexImage, Likeness } from "./image-index.ts";
import { refuse } from "./refusal.ts";

const compress = promisify(zstdCompress);

export interface MakeDelta {
  readonly base: ImageReader;
  readonly result: ImageReader;
  readonly write: (chunk: Uint8Array) => Promise<void>;
  /** zstd's, 1 to 22. */
  readonly level?: number;
  readonly signal?: AbortSignal;
  /** Bytes of the result that are done. */
  readonly onProgress?: (done: number) => void;
}

export interface DeltaSummary {
  readonly head: DeltaHead;
  readonly copiedBlocks: number;
  readonly patchedBlocks: number;
  readonly steps: number;
}

/** Writes the delta. Throws KEEL-832 when an image is empty or no whole blocks. */
export async function makeDelta(options: MakeDelta): Promise<DeltaSummary> {
  const { base, result, write, signal } = options;
  for (const { size } of [base, result])
    if (size === 0 || size % blockBytes !== 0) refuse("KEEL-832", "an image is whole blocks of 4 KiB");
  const index = await indexImage(base, signal);
  const target = await indexImage(result, signal);
  const head: DeltaHead = {
    schema: 1,
    base: { size: base.size, sha256: index.sha256 },
    result: { size: result.size, sha256: target.sha256 },
  };
  await write(encodeHead(head));
  const likeness = new Likeness(index.marks);
  const counts = { copiedBlocks: 0, patchedBlocks: 0, steps: 0 };
  let done = 0;
  for (const run of planRuns(index.blocks, target.blocks)) {
    if (run.from !== undefined) {
      await write(encodeStep({ kind: "copy", from: run.from, count: run.count }));
      counts.copiedBlocks += run.count;
      counts.steps += 1;
    } else {
      for (let at = run.at; at < run.at + run.count; at += mostPieceBlocks) {
        signal?.throwIfAborted();
        const count = Math.min(mostPieceBlocks, run.at + run.count - at);
        const piece = await result.read(at * blockBytes, count * blockBytes);
        const near = likeness.find(target.marks.slice(at, at + count)) ?? run.near + (at - run.at);
        await write(await patch(piece, { base, near, level: options.level ?? 19 }));
        counts.patchedBlocks += count;
        counts.steps += 1;
      }
    }
    done += run.count;
    options.onProgress?.(done * blockBytes);
  }
  await write(deltaEnd);
  return { head, ...counts };
}

/** Blocks of the base around the likely place that a patch may need, for a piece of `count` blocks. */
function surroundings(base: ImageReader, near: number, count: number): { from: number; fromCount: number } {
  const slack = Math.min(Math.floor((mostBaseBlocks - count) / 2), 32 + 2 * count);
  const end = base.size / blockBytes;
  const from = Math.min(Math.max(0, near - slack), end);
  return { from, fromCount: Math.min(end, Math.max(0, near + count + slack)) - from };
}

async function patch(
  piece: Uint8Array,
  { base, near, level }: { readonly base: ImageReader; readonly near: number; readonly level: number },
): Promise<Uint8Array> {
  const count = piece.byteLength / blockBytes;
  const { from, fromCount } = surroundings(base, near, count);
  const dictionary = fromCount === 0 ? undefined : await base.read(from * blockBytes, fromCount * blockBytes);
  const reach = Math.max(10, Math.ceil(Math.log2((fromCount + count) * blockBytes)));
  const frame = await compress(piece, {
    pledgedSrcSize: piece.byteLength,
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_windowLog]: reach },
    ...(dictionary === undefined ? {} : { dictionary }),
  });
  return encodeStep({ kind: "patch", from, fromCount, count, frame });
}
