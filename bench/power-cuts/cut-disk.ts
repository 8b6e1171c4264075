// A disk as it may be after its power was cut: all that was flushed is there; of what came since, any part.
import { copyFile, open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import type { Random } from "../../packages/keelson/src/base/random.ts";
import type { LoggedWrite, WriteLog } from "./write-log.ts";

const sectorBytes = 512;

export class CutDisk implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #log: WriteLog;
  /** Entries that are on the disk for good. */
  #durable = 0;
  /** What lay where entries were tried, the latest last. */
  readonly #before: { readonly at: number; readonly bytes: Buffer }[] = [];

  private constructor(path: string, file: FileHandle, log: WriteLog) {
    this.path = path;
    this.#file = file;
    this.#log = log;
  }

  /** `base` is what the disk was when the log began. */
  static async make(options: { base: string; path: string; log: WriteLog }): Promise<CutDisk> {
    const { base, path, log } = options;
    await copyFile(base, path);
    return new CutDisk(path, await open(path, "r+"), log);
  }

  /**
   * Makes it the disk that lost power at the log's entry of this number: each write since the last flush is there,
   * or not, or in its first sectors only. Numbers must not fall from one call to the next.
   */
  async cutAt(number: number, random: Random): Promise<{ readonly kept: number; readonly lost: number }> {
    for (const { at, bytes } of this.#before.splice(0).toReversed())
      await this.#file.write(bytes, 0, bytes.length, at);
    const { entries } = this.#log;
    let flushed = this.#durable;
    for (let i = this.#durable; i < number; i++) if (entries[i]?.isFlush === true) flushed = i + 1;
    for (const entry of entries.slice(this.#durable, flushed)) await this.#write(entry, entry.length);
    this.#durable = flushed;
    let kept = 0;
    const open_ = entries.slice(flushed, number).filter(({ length }) => length > 0);
    for (const entry of open_) {
      const chance = random.next();
      const length = chance < 0.1 ? partOf(entry, random) : chance < 0.55 ? entry.length : 0;
      if (length === 0) continue;
      const bytes = Buffer.alloc(length);
      await this.#file.read(bytes, 0, length, entry.at);
      this.#before.push({ at: entry.at, bytes });
      await this.#write(entry, length);
      kept++;
    }
    return { kept, lost: open_.length - kept };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async #write(entry: LoggedWrite, length: number): Promise<void> {
    if (length > 0) await this.#file.write(await this.#log.data(entry, length), 0, length, entry.at);
  }
}

const partOf = ({ length }: LoggedWrite, random: Random): number =>
  Math.floor((random.next() * length) / sectorBytes) * sectorBytes;
