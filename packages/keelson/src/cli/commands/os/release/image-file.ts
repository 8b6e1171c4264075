// Root images in files, as deltas are made of them.
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { constants, createZstdDecompress } from "node:zlib";
import { KeelError } from "../../../../base/errors.ts";
import type { ImageReader } from "../../../../releases/apply-delta.ts";
import { checkFile } from "../../../../releases/file-check.ts";
import type { ReleaseFile } from "../../../../releases/manifest.ts";

export interface OpenImage extends ImageReader, AsyncDisposable {}

export async function openImage(path: string): Promise<OpenImage> {
  const handle = await open(path, "r");
  const { size } = await handle.stat();
  return {
    size,
    async read(offset, length) {
      const buffer = Buffer.allocUnsafe(length);
      for (let have = 0; have < length;) {
        const { bytesRead } = await handle.read(buffer, have, length - have, offset + have);
        if (bytesRead === 0) throw new KeelError("KEEL-832", `${path} ends before byte ${offset + length}`);
        have += bytesRead;
      }
      return buffer;
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** Writes what is in a compressed root image, and compares it with the manifest. Throws KEEL-828 and 836. */
export async function unpackImage(
  { from, to, file }: { readonly from: string; readonly to: string; readonly file: ReleaseFile },
  signal: AbortSignal,
): Promise<void> {
  const { unpacked } = file;
  if (unpacked === undefined) throw new KeelError("KEEL-832", `${file.name} does not say what it unpacks to`);
  const packed = checkFile(file);
  const whole = checkFile({ name: `the image in ${file.name}`, ...unpacked });
  await using handle = await open(to, "wx", 0o600);
  await pipeline(
    createReadStream(from),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        packed.add(chunk);
        yield chunk;
      }
    },
    createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 30 } }),
    async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        whole.add(chunk);
        await handle.writeFile(chunk);
      }
    },
    { signal },
  );
  packed.finish();
  whole.finish();
}
