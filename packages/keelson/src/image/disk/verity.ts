// The root hash of dm-verity, reckoned from the data alone: format 1 without a superblock, SHA-256, blocks of 4096
// bytes. https://docs.kernel.org/admin-guide/device-mapper/verity.html
import { hash } from "node:crypto";

export const blockBytes = 4096;
const digestBytes = 32;

/** Takes data in order and tells the hash at its end; only the digests are kept, 1/128 of the data. */
export class VerityHash {
  /** The salt, and room for a block behind it. */
  readonly #salted: Buffer;
  readonly #saltBytes: number;
  readonly #blocks: number;
  readonly #digests: Buffer;
  #rest = Buffer.alloc(0);
  #done = 0;

  constructor({ salt, blocks }: { readonly salt: string; readonly blocks: number }) {
    if (!Number.isSafeInteger(blocks) || blocks < 1 || blocks > 1 << 22)
      throw new RangeError(`${blocks} is no number of blocks`);
    const bytes = Buffer.from(salt, "hex");
    this.#saltBytes = bytes.length;
    this.#salted = Buffer.concat([bytes, Buffer.alloc(blockBytes)]);
    this.#blocks = blocks;
    this.#digests = Buffer.alloc(blocks * digestBytes);
  }

  /** What comes behind the last block of data is left out: the hash tree, unused space. */
  update(chunk: Buffer): void {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (this.#done < this.#blocks && at + blockBytes <= data.length) {
      this.#digest(data.subarray(at, at + blockBytes), this.#digests, this.#done * digestBytes);
      this.#done++;
      at += blockBytes;
    }
    this.#rest = this.#done === this.#blocks ? Buffer.alloc(0) : Buffer.from(data.subarray(at));
  }

  /** The root hash. Undefined when there were fewer blocks than announced. */
  finish(): string | undefined {
    if (this.#done < this.#blocks) return undefined;
    let level = this.#digests;
    do {
      const blocks = Math.ceil(level.length / blockBytes);
      const padded = Buffer.alloc(blocks * blockBytes);
      level.copy(padded);
      const above = Buffer.alloc(blocks * digestBytes);
      for (let index = 0; index < blocks; index++) {
        this.#digest(
          padded.subarray(index * blockBytes, (index + 1) * blockBytes),
          above,
          index * digestBytes,
        );
      }
      level = above;
    } while (level.length > digestBytes);
    return level.toString("hex");
  }

  /** In one call and as text: some hundred thousand objects less. */
  #digest(block: Buffer, target: Buffer, at: number): void {
    block.copy(this.#salted, this.#saltBytes);
    target.write(hash("sha256", this.#salted, "hex"), at, "hex");
  }
}

/** Bytes of a slot that count: the data and the hash tree behind it. */
export function verityBytes(blocks: number): number {
  let total = blocks;
  let level = blocks;
  do {
    level = Math.ceil((level * digestBytes) / blockBytes);
    total += level;
  } while (level > 1);
  return total * blockBytes;
}
