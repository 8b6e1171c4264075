// A build that is small: a unified kernel image with the sections of a real one, and a root of a few blocks that
// its command line proves.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readKernelImage } from "../../src/image/disk/kernel-image.ts";
import { blockBytes, VerityHash, verityBytes } from "../../src/image/disk/verity.ts";
import type { InstallSource } from "../../src/image/install/source.ts";

export const uuid = "11112222-3333-4444-8555-666677778888";
export const salt = "00".repeat(32);

/** A PE program of these sections: MS-DOS header, PE header without optional part, section table. */
export function program(sections: Readonly<Record<string, Buffer>>): Buffer {
  const names = Object.keys(sections);
  const head = Buffer.alloc(64 + 24 + names.length * 40);
  head.write("MZ", 0, "latin1");
  head.writeUInt32LE(64, 60);
  head.write("PE\0\0", 64, "latin1");
  head.writeUInt16LE(0x8664, 68);
  head.writeUInt16LE(names.length, 70);
  let place = head.length;
  for (const [index, name] of names.entries()) {
    const at = 88 + index * 40;
    const bytes = sections[name]?.length ?? 0;
    head.write(name, at, "latin1");
    head.writeUInt32LE(bytes, at + 8);
    head.writeUInt32LE(bytes, at + 16);
    head.writeUInt32LE(place, at + 20);
    place += bytes;
  }
  return Buffer.concat([head, ...names.map((name) => sections[name] ?? Buffer.alloc(0))]);
}

/** Blocks that differ from each other; the first holds an erofs superblock with a time. */
export function rootImage(blocks: number): Buffer {
  const root = Buffer.alloc(blocks * blockBytes);
  for (let index = 0; index < blocks; index++)
    root.fill(createHash("sha256").update(`${index}`).digest(), index * blockBytes, (index + 1) * blockBytes);
  root.writeUInt32LE(0xe0f5e1e2, 1024);
  root.writeBigUInt64LE(1_750_000_000n, 1024 + 24);
  return root;
}

export function kernelImage(root: Buffer): Buffer {
  const blocks = root.length / blockBytes;
  const hash = new VerityHash({ salt, blocks });
  hash.update(root);
  const words = `quiet keelson.root=${uuid} keelson.verity=${hash.finish()},${salt},${blocks} keelson.version=1.2.3 keelson.variant=vm`;
  return program({
    ".linux": Buffer.from("kernel"),
    ".initrd": Buffer.from("initrd"),
    ".cmdline": Buffer.from(`${words}\0`),
    ".osrel": Buffer.from('NAME="Keelson"\n'),
    ".uname": Buffer.from("6.12.0"),
  });
}

/** What an installation takes, with its root in the folder. */
export function smallSource(folder: string, blocks = 40): InstallSource {
  const root = rootImage(blocks);
  const image = kernelImage(root);
  const kernel = readKernelImage(image);
  if (kernel === undefined) throw new TypeError("the kernel image cannot be read");
  const path = join(folder, "root.img");
  writeFileSync(path, Buffer.concat([root, Buffer.alloc(verityBytes(blocks) - root.length, 7)]));
  return {
    name: { version: "1.2.3", variant: "vm", architecture: "amd64" },
    kernel,
    root: { path, offset: 0 },
    esp: [
      { path: "EFI/BOOT/BOOTX64.EFI", content: Buffer.from("loader") },
      { path: "EFI/Linux/keelson_1.2.3.efi", content: image },
      { path: "loader/loader.conf", content: Buffer.from("timeout 0\n") },
    ],
  };
}
