// Makes a root image from another one and a delta. Nothing that comes out counts before the last byte's hash was
// compared; the caller verifies what it wrote like a full image besides.
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { constants, zstdDecompress } from "node:zlib";
import { blockBytes, DeltaReader } from "./delta-format.ts";
import type { DeltaHead, PatchStep } from "./delta-format.ts";
import { refuse } from "./refusal.ts";

const decompress = promisify(zstdDecompress);

/** Bytes of a root image that lies in a slot or a file. Short reads are errors of the reader. */
export interface ImageReader {
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface ApplyDelta {
  /** The image that runs. May be longer than the base that the delta states: a slot's rest. */
  readonly base: ImageReader;
  readonly delta: AsyncIterable<Uint8Array>;
  /** Both images, as the signed manifest states them. */
  readonly expected: Omit<DeltaHead, "schema">;
  /** Called with the result, in order. A chunk is only valid until the returned promise resolves. */
  readonly write: (chunk: Uint8Array) => Promise<void>;
  readonly signal?: AbortSignal;
}

/** Blocks that a copy moves at once: 1 MiB. */
const copyBlocks = 256;

/**
 * Writes the whole result. Throws KEEL-832 when the delta is damaged, is for another pair of images, or made other
 * bytes (also when the base is not what it should be). Errors of reading and writing go through.
 */
export async function applyDelta({ base, delta, expected, write, signal }: ApplyDelta): Promise<void> {
  await using reader = new DeltaReader(delta);
  const head = await reader.head();
  checkHead(head, expected);
  if (base.size < head.base.size) refuse("KEEL-832", "the base is shorter than the delta wants");
  const limits = { base: head.base.size / blockBytes, result: head.result.size / blockBytes };
  const hash = createHash("sha256");
  let made = 0;
  const emit = async (chunk: Uint8Array): Promise<void> => {
    hash.update(chunk);
    await write(chunk);
  };
  for (let step = await reader.step(); step !== undefined; step = await reader.step()) {
    signal?.throwIfAborted();
    const wanted = step.kind === "copy" ? step.count : step.fromCount;
    if (step.from + wanted > limits.base) refuse("KEEL-832", "a step reads past the base’s end");
    if (made + step.count > limits.result) refuse("KEEL-832", "the delta makes more than the result");
    made += step.count;
    if (step.kind === "patch") await emit(await unpack(base, step));
    else
      for (let at = 0; at < step.count; at += copyBlocks) {
        signal?.throwIfAborted();
        const count = Math.min(copyBlocks, step.count - at);
        await emit(await base.read((step.from + at) * blockBytes, count * blockBytes));
      }
  }
  if (made !== limits.result) refuse("KEEL-832", "the delta makes less than the result");
  if (hash.digest("hex") !== head.result.sha256)
    refuse("KEEL-832", "the result is another one: the base is not the image that the delta was made from");
}

function checkHead(head: DeltaHead, expected: Omit<DeltaHead, "schema">): void {
  for (const part of ["base", "result"] as const)
    if (head[part].size !== expected[part].size || head[part].sha256 !== expected[part].sha256)
      refuse("KEEL-832", `the delta states another ${part} than the manifest`);
}

async function unpack(base: ImageReader, { from, fromCount, count, frame }: PatchStep): Promise<Uint8Array> {
  const length = count * blockBytes;
  const dictionary = fromCount === 0 ? undefined : await base.read(from * blockBytes, fromCount * blockBytes);
  let piece: Uint8Array;
  try {
    piece = await decompress(frame, {
      maxOutputLength: length,
      // Enough for one piece and the part of the base before it.
      params: { [constants.ZSTD_d_windowLogMax]: 25 },
      ...(dictionary === undefined ? {} : { dictionary }),
    });
  } catch (cause) {
    return refuse("KEEL-832", `a patch cannot be unpacked: ${cause instanceof Error ? cause.message : ""}`);
  }
  if (piece.byteLength !== length) refuse("KEEL-832", "a patch makes less than it says");
  return piece;
}
