// Formats that are archives with a disk in them: OVA and Google's.
import { createReadStream, createWriteStream } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { chunkBytes, dataRuns, readFully } from "../disk/sparse-copy.ts";
import { formatBytes } from "../../local/progress.ts";
import { hashFile, makeVmdk } from "./disk-formats.ts";
import type { Make, Making } from "./making.ts";
import { ovfDescriptor, ovfManifest } from "./ovf.ts";
import { plainHeader, sparseHeader, tarEnd, tarPadding } from "./tar.ts";
import type { Extent } from "./tar.ts";
import { createHash } from "node:crypto";

/** What a machine is made with; whoever imports it can change both. */
const processors = 2;
const memoryMb = 2048;

export const makeOva: Make = async (making, output) => {
  const { name, work, made, step, build } = making;
  const disk = join(work, "disk.vmdk");
  await makeVmdk(making, disk);
  step.update("manifest");
  const file = `${name}-disk1.vmdk`;
  const { size } = await stat(disk);
  const descriptor = Buffer.from(
    ovfDescriptor({
      name,
      version: build.name.version,
      disk: { file, fileBytes: size, diskBytes: making.disk.bytes },
      processors,
      memoryMb,
    }),
  );
  const manifest = Buffer.from(
    ovfManifest([
      { name: `${name}.ovf`, sha256: createHash("sha256").update(descriptor).digest("hex") },
      { name: file, sha256: await hashFile(disk) },
    ]),
  );
  // The descriptor comes first, the manifest directly behind it: DSP0243, section 5.3.
  await pipeline(
    async function* () {
      for (const [member, content] of [
        [`${name}.ovf`, descriptor],
        [`${name}.mf`, manifest],
      ] as const) {
        yield plainHeader({ name: member, bytes: content.length, made });
        yield content;
        yield tarPadding(content.length);
      }
      yield plainHeader({ name: file, bytes: size, made });
      yield* createReadStream(disk, { highWaterMark: chunkBytes });
      yield tarPadding(size);
      yield tarEnd;
    },
    createWriteStream(output, { flags: "wx" }),
  );
  await rm(disk);
};

/** `disk.raw`, of whole GiB, sparse in an old GNU archive, compressed by gzip. */
export const makeGce: Make = async (making, output) => {
  const { disk, step, signal } = making;
  step.update("looking for holes");
  const extents = await extentsOf(making);
  const total = extents.reduce((sum, { bytes }) => sum + bytes, 0);
  const file = await open(disk.path, "r");
  try {
    await pipeline(
      async function* () {
        yield sparseHeader({ name: "disk.raw", bytes: disk.bytes, made: making.made }, extents);
        let done = 0;
        for (const { offset, bytes } of extents) {
          for (let at = 0; at < bytes; at += chunkBytes) {
            const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, bytes - at));
            await readFully(file, chunk, offset + at);
            yield chunk;
            done += chunk.length;
            step.update(`${formatBytes(done)} of ${formatBytes(total)}`);
          }
        }
        yield tarPadding(total);
        yield tarEnd;
      },
      createGzip({ level: 6 }),
      createWriteStream(output, { flags: "wx" }),
      ...(signal === undefined ? [] : [{ signal }]),
    );
  } finally {
    await file.close();
  }
};

/** The runs of the disk that are not zero, neighbours joined. */
async function extentsOf({ disk, signal }: Making): Promise<readonly Extent[]> {
  const extents: { offset: number; bytes: number }[] = [];
  const file = await open(disk.path, "r");
  try {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    for (let at = 0; at < disk.bytes; at += chunkBytes) {
      signal?.throwIfAborted();
      const chunk = buffer.subarray(0, Math.min(chunkBytes, disk.bytes - at));
      await readFully(file, chunk, at);
      for (const [start, end] of dataRuns(chunk)) {
        const last = extents.at(-1);
        if (last !== undefined && last.offset + last.bytes === at + start) last.bytes += end - start;
        else extents.push({ offset: at + start, bytes: end - start });
      }
    }
  } finally {
    await file.close();
  }
  return extents;
}
