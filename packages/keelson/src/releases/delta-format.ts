// A delta: how one root image is made from another, block by block. After the head come steps, each making the next
// blocks of the result: `copy` takes blocks of the base as they are, `patch` is one zstd frame made with a part of the
// base as its prefix (what `zstd --patch-from` makes of the two pieces). Parts and pieces are small, so whoever
// applies it needs little memory, however large the images are.
//
//   "KEELDLT1" | u32 bytes of the head | head, JSON | steps | u8 0
//   copy:  u8 1 | u32 first block of the base | u32 blocks
//   patch: u8 2 | u32 first block of the base | u32 blocks of the base | u32 blocks of the result | u32 bytes | frame
//
// Numbers are little-endian. Images are whole blocks.
import * as z from "zod/mini";
import { slotBytes } from "../model/os-image.ts";
import { parseCanonical, stringifyCanonical } from "./canonical-json.ts";
import { refuse } from "./refusal.ts";
import { sha256 } from "./words.ts";

export const blockBytes = 4096;
/** The most of the base that one patch may need: with its copy inside zstd this is what applying costs in memory. */
export const mostBaseBlocks = (12 << 20) / blockBytes;
/** The most of the result that one patch may make. */
export const mostPieceBlocks = (4 << 20) / blockBytes;

const magic = Buffer.from("KEELDLT1");
const mostHead = 4096;

const image = z.strictObject({
  size: z.int().check(
    z.gte(blockBytes),
    z.lte(slotBytes),
    z.refine((size) => size % blockBytes === 0),
  ),
  sha256,
});

const headShape = z.strictObject({ schema: z.literal(1), base: image, result: image });
/** Sizes in bytes, and hashes, of both root images as they lie in a slot. */
export type DeltaHead = z.infer<typeof headShape>;

export interface CopyStep {
  readonly kind: "copy";
  readonly from: number;
  readonly count: number;
}

export interface PatchStep {
  readonly kind: "patch";
  readonly from: number;
  readonly fromCount: number;
  /** Blocks of the result. */
  readonly count: number;
  readonly frame: Uint8Array;
}

export type DeltaStep = CopyStep | PatchStep;

export function encodeHead(head: DeltaHead): Uint8Array {
  const json = stringifyCanonical(head);
  return Buffer.concat([magic, u32(json.byteLength), json]);
}

export function encodeStep(step: DeltaStep): Uint8Array {
  if (step.kind === "copy") return Buffer.concat([Buffer.of(1), u32(step.from), u32(step.count)]);
  const { from, fromCount, count, frame } = step;
  return Buffer.concat([Buffer.of(2), u32(from), u32(fromCount), u32(count), u32(frame.byteLength), frame]);
}

export const deltaEnd: Uint8Array = Buffer.of(0);

/** Reads a delta as it arrives. All its errors are KEEL-832; errors of the stream itself go through. */
export class DeltaReader implements AsyncDisposable {
  readonly #source: AsyncIterator<Uint8Array>;
  #waiting: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#source = stream[Symbol.asyncIterator]();
  }

  /** To be called first. */
  async head(): Promise<DeltaHead> {
    const start = await this.#take(magic.length + 4);
    if (!start.subarray(0, magic.length).equals(magic)) refuse("KEEL-832", "the file is no delta");
    const length = start.readUInt32LE(magic.length);
    if (length > mostHead) refuse("KEEL-832", `the delta’s head has ${length} bytes`);
    const json = await this.#take(length);
    try {
      return parseCanonical(json, { shape: headShape, what: "the delta’s head", limit: mostHead });
    } catch (cause) {
      return refuse("KEEL-832", cause instanceof Error ? cause.message : "the delta’s head cannot be read");
    }
  }

  /** Undefined after the last one, which nothing may follow. */
  async step(): Promise<DeltaStep | undefined> {
    const kind = (await this.#take(1))[0];
    if (kind === 0) return this.#end();
    if (kind === 1) {
      const fields = await this.#take(8);
      return { kind: "copy", from: fields.readUInt32LE(0), count: fields.readUInt32LE(4) };
    }
    if (kind !== 2) refuse("KEEL-832", `the delta has a step of kind ${kind}`);
    const fields = await this.#take(16);
    const [from, fromCount, count, length] = [0, 4, 8, 12].map((at) => fields.readUInt32LE(at));
    if ((fromCount ?? 0) > mostBaseBlocks || (count ?? 0) > mostPieceBlocks || count === 0)
      refuse("KEEL-832", `a patch of ${count} blocks from ${fromCount} is beyond the bounds`);
    // Incompressible data grows by a few bytes for each 128 KiB.
    if ((length ?? 0) > (count ?? 0) * (blockBytes + 64))
      refuse("KEEL-832", "a patch is larger than what it makes");
    const frame = await this.#take(length ?? 0);
    return { kind: "patch", from: from ?? 0, fromCount: fromCount ?? 0, count: count ?? 0, frame };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source.return?.();
  }

  async #end(): Promise<undefined> {
    if (this.#waiting.length > 0 || (await this.#source.next()).done !== true)
      refuse("KEEL-832", "the delta goes on after its end");
    return undefined;
  }

  async #take(length: number): Promise<Buffer> {
    const parts = [this.#waiting];
    let have = this.#waiting.length;
    while (have < length) {
      const { value, done } = await this.#source.next();
      if (done === true) return refuse("KEEL-832", "the delta ends too early");
      parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      have += value.byteLength;
    }
    const all = parts.length === 1 ? this.#waiting : Buffer.concat(parts, have);
    this.#waiting = all.subarray(length);
    return all.subarray(0, length);
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
