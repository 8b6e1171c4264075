// Reading and writing past the kernel's caches: what is read back came from the disk, and what is written does not
// push other programs' pages out of memory.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { KeelError } from "../../base/errors.ts";
import type { SlotDevice } from "./boot-disk.ts";

/** A part of a device or file: `offset` and `bytes` are multiples of 4096. */
export interface Extent {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

/** Opens with O_DIRECT; file systems without it (tmpfs on old kernels) are used through the cache. */
export async function openDirect(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags | constants.O_DIRECT);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
    return open(path, flags);
  }
}

export async function openExtent(extent: Extent, mode: "read" | "write"): Promise<SlotDevice> {
  const { path, offset, bytes } = extent;
  const file = await openDirect(path, mode === "read" ? constants.O_RDONLY : constants.O_RDWR).catch(
    (error: unknown) => {
      throw diskError(error, path);
    },
  );
  const inside = (position: number, length: number): void => {
    if (position < 0 || position + length > bytes)
      throw new KeelError("KEEL-802", `${path} would be used beyond the end of the slot`);
  };
  return {
    bytes,
    async read(buffer, position) {
      inside(position, buffer.byteLength);
      for (let done = 0; done < buffer.byteLength;) {
        const rest = buffer.byteLength - done;
        const { bytesRead } = await file
          .read(buffer, done, rest, offset + position + done)
          .catch((error: unknown) => {
            throw diskError(error, path, "KEEL-802");
          });
        if (bytesRead === 0) throw new KeelError("KEEL-802", `${path} ends before the slot does`);
        done += bytesRead;
      }
    },
    async write(buffer, position) {
      inside(position, buffer.byteLength);
      for (let done = 0; done < buffer.byteLength;) {
        const rest = buffer.byteLength - done;
        const { bytesWritten } = await file
          .write(buffer, done, rest, offset + position + done)
          .catch((error: unknown) => {
            throw diskError(error, path);
          });
        done += bytesWritten;
      }
    },
    async sync() {
      await file.datasync().catch((error: unknown) => {
        throw diskError(error, path);
      });
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** An error of the file system in words; others stay as they are. */
export function diskError(
  error: unknown,
  place: string,
  code: "KEEL-802" | "KEEL-810" = "KEEL-810",
): unknown {
  const { code: name } = error as NodeJS.ErrnoException;
  const options = { cause: error };
  switch (name) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new KeelError("KEEL-809", `${place} is full`, options);
    case "EROFS":
      return new KeelError("KEEL-810", `${place} is read-only`, options);
    case "EIO":
      return new KeelError(code, `${place} has an I/O error`, options);
    case "EACCES":
    case "EPERM":
      return new KeelError("KEEL-812", `${place} may be used by root only`, options);
    case "ENOENT":
    case "ENXIO":
    case "ENOMEDIUM":
      return new KeelError("KEEL-802", `${place} is not there`, options);
    default:
      return error;
  }
}
