// Whether a slot still holds, byte for byte, what was built: every block of its image is hashed as dm-verity does it
// (Documentation/admin-guide/device-mapper/verity.rst of Linux, format version 1), up to the root hash that the signed
// kernel names. No manifest is needed, and nothing of the running system is believed.
import { createHash } from "node:crypto";
import { KeelError } from "../base/errors.ts";
import type { SlotName } from "../model/os-image.ts";
import type { BootSlots } from "./boot-slots.ts";

export interface VerityFacts {
  /** SHA-256 in hex. */
  readonly rootHash: string;
  /** In hex; put before each block. */
  readonly salt: string;
  readonly dataBlocks: number;
}

const blockBytes = 4096;
const digestBytes = 32;
const digestsPerBlock = blockBytes / digestBytes;

/** `keelson.verity=<root hash>,<salt>,<data blocks>`. Throws KEEL-801 for anything else. */
export function parseVerity(word: string): VerityFacts {
  const match = /^([0-9a-f]{64}),([0-9a-f]{2,512}|-),(\d{1,9})$/.exec(word);
  if (match === null) throw new KeelError("KEEL-801", `"${word.slice(0, 100)}" is no root hash of dm-verity`);
  const [, rootHash = "", salt = "", blocks = ""] = match;
  return { rootHash, salt: salt === "-" ? "" : salt, dataBlocks: Number(blocks) };
}

/** A slot's image: its data, and the tree of hashes behind it. */
export function imageBytes({ dataBlocks }: VerityFacts): number {
  let blocks = dataBlocks;
  for (let level = dataBlocks; level > 1;) {
    level = Math.ceil(level / digestsPerBlock);
    blocks += level;
  }
  return blocks * blockBytes;
}

/** False when a block differs. `progress` is told bytes. */
export async function verifySlot(
  slots: BootSlots,
  slot: SlotName,
  {
    verity,
    signal,
    progress,
  }: {
    readonly verity: VerityFacts;
    readonly signal: AbortSignal;
    readonly progress?: (done: number, total: number) => void;
  },
): Promise<boolean> {
  const salt = Buffer.from(verity.salt, "hex");
  const total = verity.dataBlocks * blockBytes;
  let level = new DigestBlocks(verity.dataBlocks);
  let done = 0;
  for await (const chunk of slots.read(slot, total)) {
    signal.throwIfAborted();
    for (let at = 0; at < chunk.byteLength; at += blockBytes)
      level.add(digest(salt, chunk.subarray(at, at + blockBytes)));
    done += chunk.byteLength;
    progress?.(done, total);
  }
  while (level.blocks.length > 1) {
    const above = new DigestBlocks(level.blocks.length);
    for (const block of level.blocks) above.add(digest(salt, block));
    level = above;
  }
  const top = level.blocks[0];
  return top !== undefined && digest(salt, top).toString("hex") === verity.rootHash;
}

/** The digests of a level, packed into blocks that are filled up with zeros. */
class DigestBlocks {
  readonly blocks: Buffer[] = [];
  #next = 0;

  constructor(digests: number) {
    for (let left = digests; left > 0; left -= digestsPerBlock) this.blocks.push(Buffer.alloc(blockBytes));
  }

  add(value: Buffer): void {
    const block = this.blocks[Math.floor(this.#next / digestsPerBlock)];
    if (block !== undefined) value.copy(block, (this.#next % digestsPerBlock) * digestBytes);
    this.#next++;
  }
}

function digest(salt: Buffer, block: Uint8Array): Buffer {
  return createHash("sha256").update(salt).update(block).digest();
}
