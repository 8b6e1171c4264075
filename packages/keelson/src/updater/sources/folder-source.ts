import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { KeelError, describeError } from "../../base/errors.ts";
import { alignedBuffer } from "../disk-slots/boot-disk.ts";
import type { OpenedFile, ReleaseSource } from "./release-source.ts";

const chunkBytes = 1 << 20;

/** A folder with a release's files: on a USB stick, a mounted share, or where a build left them. */
export class FolderSource implements ReleaseSource {
  readonly place: string;
  readonly isLocal = true;

  constructor(folder: string) {
    this.place = folder;
  }

  async document(name: string, limit: number): Promise<Uint8Array | undefined> {
    try {
      await using file = await open(join(this.place, name), "r");
      const { bytesRead, buffer } = await file.read(Buffer.alloc(limit + 1), 0, limit + 1, 0);
      if (bytesRead > limit)
        throw new KeelError("KEEL-807", `${name} is larger than the ${limit} bytes that it may have`);
      return buffer.subarray(0, bytesRead);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw this.#problem(error, name);
    }
  }

  async list(): Promise<readonly string[]> {
    try {
      if (!(await stat(this.place)).isDirectory())
        throw new KeelError("KEEL-806", `${this.place} is no folder`, { details: { permanent: true } });
      return await readdir(this.place);
    } catch (error) {
      throw this.#problem(error, this.place);
    }
  }

  async open(name: string, offset: number): Promise<OpenedFile> {
    const path = join(this.place, name);
    try {
      const found = await stat(path);
      if (!found.isFile())
        throw new KeelError("KEEL-806", `${path} is no file`, { details: { permanent: true } });
      return { offset, size: found.size, chunks: this.#read(path, offset) };
    } catch (error) {
      throw this.#problem(error, name);
    }
  }

  async *#read(path: string, offset: number): AsyncIterable<Uint8Array> {
    try {
      await using file = await open(path, "r");
      for (let position = offset; ;) {
        const buffer = alignedBuffer(chunkBytes);
        const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
        if (bytesRead === 0) return;
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } catch (error) {
      throw this.#problem(error, path);
    }
  }

  #problem(error: unknown, name: string): unknown {
    if (error instanceof KeelError) return error;
    const { code } = error as NodeJS.ErrnoException;
    const words = code === "ENOENT" ? "is not there" : `cannot be read: ${describeError(error)}`;
    return new KeelError("KEEL-806", `${name} in ${this.place} ${words}`, {
      cause: error,
      details: { permanent: true },
    });
  }
}
