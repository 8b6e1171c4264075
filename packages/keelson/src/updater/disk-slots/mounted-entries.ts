// The folder of kernels on a mounted ESP.
import { constants } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import { alignedBuffer, blockBytes } from "./boot-disk.ts";
import type { EntryFolder } from "./boot-disk.ts";
import { diskError, openDirect } from "./block-file.ts";

const readBytes = 1 << 20;

/** The folder is made when it is missing. Directory changes are synced one by one. */
export async function openEntryFolder(path: string): Promise<EntryFolder> {
  const attempt = async <T>(task: () => Promise<T>): Promise<T> => {
    try {
      return await task();
    } catch (error) {
      throw diskError(error, "the ESP");
    }
  };
  await attempt(() => mkdir(path, { recursive: true }));
  return {
    list: () =>
      attempt(async () => {
        const names = await readdir(path, { withFileTypes: true });
        return Promise.all(
          names
            .filter((entry) => entry.isFile())
            .map(async ({ name }) => ({ name, bytes: (await stat(join(path, name))).size })),
        );
      }),
    read: (name, position, length) =>
      attempt(async () => {
        await using file = await open(join(path, name), "r");
        const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
        return buffer.subarray(0, bytesRead);
      }),
    async write(name, content) {
      await using file = await attempt(() => open(join(path, name), "wx", 0o600));
      for await (const chunk of content)
        for (let done = 0; done < chunk.byteLength;)
          done += (await attempt(() => file.write(chunk, done))).bytesWritten;
      await attempt(() => file.sync());
      await attempt(() => syncFolder(path));
    },
    readBack: (name) => readDirect(join(path, name)),
    rename: (from, to) =>
      attempt(async () => {
        await rename(join(path, from), join(path, to));
        await syncFolder(path);
      }),
    remove: (name) =>
      attempt(async () => {
        await rm(join(path, name));
        await syncFolder(path);
      }),
    free: () =>
      attempt(async () => {
        const { bavail, bsize } = await statfs(path);
        return bavail * bsize;
      }),
  };
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await folder.sync();
}

async function* readDirect(path: string): AsyncIterable<Uint8Array> {
  const { size } = await stat(path);
  await using file = await openDirect(path, constants.O_RDONLY);
  const buffer = alignedBuffer(readBytes);
  for (let position = 0; position < size;) {
    const whole = Math.min(readBytes, Math.ceil((size - position) / blockBytes) * blockBytes);
    const { bytesRead } = await file.read(buffer, 0, whole, position).catch((error: unknown) => {
      throw diskError(error, "the ESP", "KEEL-802");
    });
    if (bytesRead === 0) throw new KeelError("KEEL-808", "a file on the ESP ends too early");
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}
