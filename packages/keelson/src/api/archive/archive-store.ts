// Image archives on this machine's disk: stateDir/archives/<sha256>. A file under that name is whole: it is
// written beside, flushed, then renamed. What a dead daemon left half written goes at the next start.
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, readdir, rename, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { KeelError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { sha256Pattern } from "../../model/unit.ts";
import { readImageArchive } from "./image-archive.ts";
import type { ArchivedImage } from "./image-archive.ts";

/** Largest archive, in bytes. */
export const maxArchiveBytes = 4 * 2 ** 30;
/** What stays free on the disk. */
const reserveBytes = 256 << 20;
/** The disk is asked again after so many bytes. */
const checkEveryBytes = 64 << 20;
const unfinished = ".part";

export interface StoredArchive {
  readonly sha256: string;
  readonly bytes: number;
  readonly images: readonly ArchivedImage[];
}

export class ArchiveStore {
  readonly #folder: string;
  readonly #random: Random;
  readonly #inUse = new Map<string, number>();

  constructor(stateDir: string, random: Random) {
    this.#folder = join(stateDir, "archives");
    this.#random = random;
  }

  /** Removes what was left half written. */
  async clean(): Promise<void> {
    for (const name of await this.#names())
      if (name.endsWith(unfinished)) await rm(join(this.#folder, name), { force: true });
  }

  /** Writes an archive and reads what it holds. KEEL-107 when it is none, KEEL-605 when the disk has no room. */
  async receive(
    chunks: AsyncIterable<Buffer>,
    declaredBytes: number,
    architecture: string,
  ): Promise<StoredArchive> {
    await mkdir(this.#folder, { recursive: true, mode: 0o755 });
    await this.#checkRoom(declaredBytes);
    const temporary = join(
      this.#folder,
      `${Math.floor(this.#random.next() * 2 ** 48).toString(36)}${unfinished}`,
    );
    try {
      const file = await open(temporary, "wx+", 0o644);
      let written: StoredArchive;
      try {
        written = await this.#write(file, chunks, architecture);
      } finally {
        await file.close();
      }
      await rename(temporary, join(this.#folder, written.sha256));
      await this.#flushFolder();
      return written;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Opens an archive for reading; undefined when it is not here. */
  async open(sha256: string): Promise<{ readonly file: FileHandle; readonly bytes: number } | undefined> {
    if (!sha256Pattern.test(sha256)) return undefined;
    const file = await open(join(this.#folder, sha256), "r").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (!file) return undefined;
    return { file, bytes: (await file.stat()).size };
  }

  /** Keeps an archive from being swept away until it is released: its record is being written. */
  hold(sha256: string): Disposable {
    this.#inUse.set(sha256, (this.#inUse.get(sha256) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#inUse.get(sha256) ?? 1) - 1;
        if (left === 0) this.#inUse.delete(sha256);
        else this.#inUse.set(sha256, left);
      },
    };
  }

  /** Removes every archive that no image refers to. */
  async sweep(referred: ReadonlySet<string>): Promise<void> {
    for (const name of await this.#names()) {
      if (!sha256Pattern.test(name) || referred.has(name) || this.#inUse.has(name)) continue;
      await rm(join(this.#folder, name), { force: true });
    }
  }

  async #write(
    file: FileHandle,
    chunks: AsyncIterable<Buffer>,
    architecture: string,
  ): Promise<StoredArchive> {
    const hash = createHash("sha256");
    let bytes = 0;
    let unchecked = 0;
    for await (const chunk of chunks) {
      hash.update(chunk);
      await file.write(chunk, 0, chunk.byteLength, bytes);
      bytes += chunk.byteLength;
      unchecked += chunk.byteLength;
      if (unchecked < checkEveryBytes) continue;
      unchecked = 0;
      await this.#checkRoom(0);
    }
    const images = await readImageArchive(file, bytes, architecture);
    await file.sync();
    return { sha256: hash.digest("hex"), bytes, images };
  }

  async #checkRoom(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    const free = bavail * bsize;
    if (bytes + reserveBytes <= free) return;
    throw new KeelError(
      "KEEL-605",
      `no room for the archive: ${mebibytes(free)} are free in ${this.#folder}`,
      {
        hint: `${mebibytes(bytes + reserveBytes)} are needed. Remove images that are not used: keel image rm NAME`,
      },
    );
  }

  async #flushFolder(): Promise<void> {
    const folder = await open(this.#folder, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  #names(): Promise<string[]> {
    return readdir(this.#folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
  }
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / (1 << 20))} MiB`;
