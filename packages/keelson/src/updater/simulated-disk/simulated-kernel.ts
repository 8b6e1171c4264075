// The least that is a unified kernel image to the updater: a PE file with a section `.cmdline`. Its last 32 bytes are
// the SHA-256 of the others, so that the simulated firmware notices a torn one, as it would crash in a real one.
import { createHash } from "node:crypto";
import { kernelWords } from "../../model/os-image.ts";
import { kernelWord, readKernelCommandLine } from "../disk-slots/kernel-image.ts";

export interface KernelFacts {
  readonly version: string;
  readonly uuid: string;
  /** SHA-256 of the root image, and its size. */
  readonly sha256: string;
  readonly bytes: number;
  readonly variant?: string;
}

const peOffset = 64;
const sectionTable = peOffset + 24;
const commandLineOffset = 512;

export function makeKernel(facts: KernelFacts, size = 64 << 10): Uint8Array {
  const { version, uuid, sha256, bytes, variant = "vm" } = facts;
  const line = `quiet ${kernelWords.root}=${uuid} ${kernelWords.verity}=${sha256},00,${bytes} ${kernelWords.version}=${version} ${kernelWords.variant}=${variant}`;
  const file = Buffer.alloc(size);
  for (let i = commandLineOffset + 512; i < size; i++) file[i] = (i * 31 + version.length) & 0xff;
  file.write("MZ", 0, "latin1");
  file.writeUInt32LE(peOffset, 0x3c);
  file.write("PE\0\0", peOffset, "latin1");
  file.writeUInt16LE(1, peOffset + 6);
  file.write(".cmdline", sectionTable, "latin1");
  file.writeUInt32LE(line.length, sectionTable + 8);
  file.writeUInt32LE(512, sectionTable + 16);
  file.writeUInt32LE(commandLineOffset, sectionTable + 20);
  file.write(line, commandLineOffset, "latin1");
  createHash("sha256")
    .update(file.subarray(0, -32))
    .digest()
    .copy(file, size - 32);
  return file;
}

/** What the kernel would start; undefined for one that is torn. */
export async function readKernel(file: Uint8Array): Promise<KernelFacts | undefined> {
  const line = await readKernelCommandLine(async (position, length) =>
    file.subarray(position, position + length),
  );
  if (line === undefined || file.byteLength < 64) return undefined;
  const digest = createHash("sha256").update(file.subarray(0, -32)).digest();
  if (!digest.equals(file.subarray(-32))) return undefined;
  const [sha256 = "", , bytes = "0"] = (kernelWord(line, kernelWords.verity) ?? "").split(",");
  return {
    version: kernelWord(line, kernelWords.version) ?? "",
    uuid: kernelWord(line, kernelWords.root) ?? "",
    sha256,
    bytes: Number(bytes),
  };
}

/** A root image: random bytes with an erofs's head. Its UUID comes from its content. */
export function makeRootImage(version: string, bytes: number): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(bytes);
  let state = createHash("sha256").update(version).digest().readUInt32LE(0) | 1;
  for (let i = 0; i + 4 <= bytes; i += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    // Half of it compresses, as programs do.
    const value = (i & 64) === 0 ? 0x6c65656b : state;
    image[i] = value & 0xff;
    image[i + 1] = (value >>> 8) & 0xff;
    image[i + 2] = (value >>> 16) & 0xff;
    image[i + 3] = value >>> 24;
  }
  Buffer.from("e2e1f5e0", "hex").copy(image, 1024);
  createHash("sha256")
    .update(version)
    .digest()
    .copy(image, 1024 + 48, 0, 16);
  return image;
}
