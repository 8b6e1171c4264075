// Results of long work, kept under a hash of what they are made from: CACHE/<kind>/<hash>/.
// An entry is made in a folder beside it and renamed when it is complete, so that what has its name is
// whole. Two makers wait for each other; what a killed one left is swept by the next.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { takeLock } from "../file-lock.ts";

const unfinished = ".building-";

export class ContentCache {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  path(kind: string, hash: string): string {
    return join(this.directory, kind, hash);
  }

  has(kind: string, hash: string): boolean {
    return existsSync(this.path(kind, hash));
  }

  /** The entry's folder; `make` fills an empty one when there is none yet. */
  async entry(kind: string, hash: string, make: (folder: string) => Promise<unknown>): Promise<string> {
    const path = this.path(kind, hash);
    if (!existsSync(path)) await this.#make(kind, path, make);
    const now = new Date();
    await utimes(path, now, now);
    return path;
  }

  async #make(kind: string, path: string, make: (folder: string) => Promise<unknown>): Promise<void> {
    const parent = join(this.directory, kind);
    await mkdir(parent, { recursive: true, mode: 0o755 });
    await using _lock = await takeLock(join(parent, ".lock"), 1800);
    for (const name of await readdir(parent)) {
      if (name.startsWith(unfinished)) await rm(join(parent, name), { recursive: true, force: true });
    }
    if (existsSync(path)) return;
    const folder = await mkdtemp(join(parent, unfinished));
    try {
      await make(folder);
      await rename(folder, path);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Deletes entries of a kind that are neither among the `keep` most recently used nor in `inUse`. */
  async prune(kind: string, keep: number, inUse: ReadonlySet<string>): Promise<string[]> {
    const parent = join(this.directory, kind);
    if (!existsSync(parent)) return [];
    await using _lock = await takeLock(join(parent, ".lock"), 1800);
    const entries = [];
    for (const name of await readdir(parent)) {
      if (name.startsWith(".")) continue;
      const path = join(parent, name);
      entries.push({ path, used: (await stat(path)).mtimeMs });
    }
    const old = entries
      .sort((a, b) => b.used - a.used)
      .slice(keep)
      .map((entry) => entry.path)
      .filter((path) => !inUse.has(path));
    for (const path of old) {
      const dead = join(parent, `${unfinished}${process.pid}-old`);
      await rename(path, dead);
      await rm(dead, { recursive: true, force: true });
    }
    return old;
  }
}
