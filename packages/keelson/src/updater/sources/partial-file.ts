// What has arrived of a file, kept on the state partition under the hash that was signed: a download goes on where it
// stopped, after a broken connection as after a power cut. A full disk ends the keeping, not the download.
//
// A file system may give a file its new size before the bytes are there, so after a power cut its end may read as
// zeros. How much was synced stands in a file beside it, with the boot that it is of: later boots take no more.
import { mkdir, open, readdir, stat, statfs, truncate, writeFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere, removeIfThere } from "../../host/atomic-file.ts";

/** What must stay free for others. */
const spareBytes = 64 << 20;
const readBytes = 1 << 20;
/** Small pieces are written together. */
const writeBytes = 1 << 20;
/** How far writing may be behind what arrives. */
const mostSentBytes = 8 << 20;
/** How much a power cut may cost. */
const syncBytes = 8 << 20;

export class PartialFiles {
  readonly #folder: string;
  readonly #bootId: () => Promise<string>;

  constructor(folder: string, bootId: () => Promise<string> = thisBoot) {
    this.#folder = folder;
    this.#bootId = bootId;
  }

  /** Undefined when there is no room to keep the file. */
  async open(file: { readonly sha256: string; readonly size: number }): Promise<PartialFile | undefined> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const path = join(this.#folder, `${file.sha256}.part`);
      const boot = await this.#bootId();
      const { bytes: has, synced } = await usableBytes(path, boot, file.size);
      const { bavail, bsize } = await statfs(this.#folder);
      if (bavail * bsize + has < file.size + spareBytes) {
        await removeIfThere(path);
        return undefined;
      }
      await note(path, boot, synced);
      return new PartialFile({ path, boot, file: await open(path, "a+", 0o600), bytes: has, synced });
    } catch {
      return undefined;
    }
  }

  /** Removes what belongs to other files than these. */
  async keepOnly(hashes: readonly string[]): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names)
      if (!hashes.some((hash) => name.startsWith(`${hash}.`))) await removeIfThere(join(this.#folder, name));
  }
}

interface Kept {
  readonly path: string;
  readonly boot: string;
  readonly file: FileHandle;
  readonly bytes: number;
  readonly synced: number;
}

export class PartialFile implements AsyncDisposable {
  readonly #path: string;
  readonly #boot: string;
  readonly #file: FileHandle;
  #bytes: number;
  #synced: number;
  #keeping = true;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #sentBytes = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor({ path, boot, file, bytes, synced }: Kept) {
    this.#path = path;
    this.#boot = boot;
    this.#file = file;
    this.#bytes = bytes;
    this.#synced = synced;
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

  /** Keeps a chunk, which must not change any more, a little later. What cannot be kept is not: the file ends before. */
  async append(chunk: Uint8Array): Promise<void> {
    if (!this.#keeping) return;
    this.#gathered.push(chunk);
    this.#gatheredBytes += chunk.byteLength;
    if (this.#gatheredBytes < writeBytes) return;
    this.#send();
    while (this.#sentBytes > mostSentBytes) await this.#writing;
  }

  #send(): void {
    const bytes = Buffer.concat(this.#gathered, this.#gatheredBytes);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#sentBytes += bytes.byteLength;
    this.#writing = this.#writing.then(async () => {
      await this.#write(bytes);
      this.#sentBytes -= bytes.byteLength;
    });
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (!this.#keeping) return;
    try {
      let done = 0;
      while (done < bytes.byteLength) done += (await this.#file.write(bytes, done)).bytesWritten;
      this.#bytes += bytes.byteLength;
      if (this.#bytes - this.#synced >= syncBytes) await this.#sync();
    } catch {
      this.#keeping = false;
      await this.#file.truncate(this.#bytes).catch(() => {});
    }
  }

  async #sync(): Promise<void> {
    await this.#file.datasync();
    this.#synced = this.#bytes;
    await note(this.#path, this.#boot, this.#synced);
  }

  /** It was not what was signed. */
  async discard(): Promise<void> {
    this.#keeping = false;
    await this.#writing;
    await removeIfThere(this.#path);
    await removeIfThere(noteOf(this.#path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#gatheredBytes > 0) this.#send();
    await this.#writing;
    await this.#file.close();
  }
}

const noteOf = (path: string): string => path.replace(/part$/, "synced");

function note(path: string, boot: string, synced: number): Promise<void> {
  return writeFile(noteOf(path), `${boot} ${synced}\n`, { mode: 0o600 });
}

/** How many bytes of what is there can be relied on; the others are cut off. */
async function usableBytes(
  path: string,
  boot: string,
  most: number,
): Promise<{ readonly bytes: number; readonly synced: number }> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  const [, of, noted] = /^(\S{1,64}) (\d{1,15})\n$/.exec((await readIfThere(noteOf(path))) ?? "") ?? [];
  const synced = Math.min(size, Number(noted ?? 0));
  const whole = of === boot ? size : synced;
  const bytes = whole > most ? 0 : whole;
  if (bytes < size) await truncate(path, bytes);
  return { bytes, synced: Math.min(bytes, synced) };
}

async function thisBoot(): Promise<string> {
  return ((await readIfThere("/proc/sys/kernel/random/boot_id")) ?? "unknown").trim();
}
