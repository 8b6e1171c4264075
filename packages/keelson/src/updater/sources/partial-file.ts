// What has arrived of a file, kept on the state partition under the hash that was signed: a download goes on where it
// stopped, after a broken connection as after a power cut. A full disk ends the keeping, not the download.
import { mkdir, open, readdir, stat, statfs } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { removeIfThere } from "../../host/atomic-file.ts";

/** What must stay free for others. */
const spareBytes = 64 << 20;
const readBytes = 1 << 20;

export class PartialFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined when there is no room to keep the file. */
  async open(file: { readonly sha256: string; readonly size: number }): Promise<PartialFile | undefined> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const path = join(this.#folder, `${file.sha256}.part`);
      const has = await stat(path).then(
        ({ size }) => size,
        () => 0,
      );
      const { bavail, bsize } = await statfs(this.#folder);
      if (bavail * bsize + has < file.size + spareBytes) {
        await removeIfThere(path);
        return undefined;
      }
      if (has > file.size) await removeIfThere(path);
      return new PartialFile(path, await open(path, "a+", 0o600), has > file.size ? 0 : has);
    } catch {
      return undefined;
    }
  }

  /** Removes what belongs to other files than these. */
  async keepOnly(hashes: readonly string[]): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names)
      if (!hashes.some((hash) => name === `${hash}.part`)) await removeIfThere(join(this.#folder, name));
  }
}

export class PartialFile implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  #bytes: number;
  #keeping = true;

  constructor(path: string, file: FileHandle, bytes: number) {
    this.#path = path;
    this.#file = file;
    this.#bytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  async *read(): AsyncIterable<Uint8Array> {
    const end = this.#bytes;
    for (let position = 0; position < end;) {
      const buffer = Buffer.allocUnsafe(Math.min(readBytes, end - position));
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.byteLength, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  /** What cannot be kept is not: the file then ends where it did. */
  async append(chunk: Uint8Array): Promise<void> {
    if (!this.#keeping) return;
    try {
      let done = 0;
      while (done < chunk.byteLength) done += (await this.#file.write(chunk, done)).bytesWritten;
      this.#bytes += chunk.byteLength;
    } catch {
      this.#keeping = false;
      await this.#file.truncate(this.#bytes).catch(() => {});
    }
  }

  /** It was not what was signed. */
  async discard(): Promise<void> {
    this.#keeping = false;
    await removeIfThere(this.#path);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#file.close();
  }
}
