// Files, folders and links put where a configuration wants them, so that they can be taken back: what was there
// before is kept. No link that someone other than root could have laid is followed.
import { createHash } from "node:crypto";
import { chmod, link, lstat, mkdir, readFile, readlink, rm, rmdir, stat, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { at } from "./machine.ts";
import type { Machine } from "./machine.ts";
import type { MadeFile } from "./state.ts";
import { writeSynced } from "./written-file.ts";

export interface Rights {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

interface Original {
  readonly kind: "file" | "link";
  readonly rights: Rights;
  /** Base64 of the file, or where the link leads. */
  readonly content: string;
}

/** What is larger is not kept, and therefore not overwritten. */
const maxOriginalBytes = 4 << 20;

/** Places for one item, and notes what it made. */
export class Placing {
  readonly made: MadeFile[] = [];
  readonly #machine: Machine;
  readonly #originals: string;
  readonly #before: ReadonlyMap<string, MadeFile>;

  /**
   * @param originals folder for what was there before
   * @param before what the item has made earlier: that is its own
   */
  constructor(machine: Machine, originals: string, before: readonly MadeFile[]) {
    this.#machine = machine;
    this.#originals = originals;
    this.#before = new Map(before.map((entry) => [entry.path, entry]));
  }

  async file(path: string, content: string | Uint8Array, rights: Rights): Promise<void> {
    const full = await this.#prepare(path);
    await writeSynced(full, content, rights.mode, (fresh) => this.#chown(fresh, rights));
  }

  async symlink(path: string, target: string, rights: Omit<Rights, "mode">): Promise<void> {
    const full = await this.#prepare(path);
    if ((await readlink(full).catch(() => undefined)) === target) return;
    await rm(full, { force: true });
    await symlink(target, full);
    await this.#chown(full, rights);
  }

  async hardLink(path: string, target: string): Promise<void> {
    const full = await this.#prepare(path);
    await safeFolder(this.#machine, dirname(target));
    await rm(full, { force: true });
    await link(at(this.#machine, target), full);
  }

  /** A folder that is there keeps what is in it. */
  async folder(path: string, rights: Rights): Promise<void> {
    const full = at(this.#machine, path);
    await safeFolder(this.#machine, dirname(path));
    const there = await lstat(full).catch(() => undefined);
    if (there !== undefined && !there.isDirectory()) throw new Error(`${path} is there and is no folder`);
    if (there === undefined || this.#before.has(path)) this.made.push({ path });
    await mkdir(full, { recursive: true });
    await this.#chown(full, rights);
    await chmod(full, rights.mode);
  }

  /** Takes back what was made and is no longer. */
  async undoRest(): Promise<void> {
    const still = new Set(this.made.map(({ path }) => path));
    for (const entry of [...this.#before.values()].toReversed())
      if (!still.has(entry.path)) await this.#undo(entry);
  }

  async #undo({ path, original }: MadeFile): Promise<void> {
    const full = at(this.#machine, path);
    await safeFolder(this.#machine, dirname(path)).catch(() => undefined);
    const kept = original === undefined ? undefined : await this.#kept(original);
    if (kept === undefined) {
      const there = await lstat(full).catch(() => undefined);
      // A folder in which others have put something by now is theirs.
      if (there?.isDirectory() === true) await rmdir(full).catch(() => undefined);
      else await rm(full, { force: true });
      return;
    }
    if (kept.kind === "link") {
      await rm(full, { force: true });
      await symlink(kept.content, full);
    } else
      await writeSynced(full, Buffer.from(kept.content, "base64"), kept.rights.mode, (fresh) =>
        this.#chown(fresh, kept.rights),
      );
  }

  /** Keeps what is there, unless it is the item's own, and gives the path to write to. */
  async #prepare(path: string): Promise<string> {
    const full = at(this.#machine, path);
    await safeFolder(this.#machine, dirname(path));
    const before = this.#before.get(path);
    if (before !== undefined) {
      this.made.push(before);
      return full;
    }
    const there = await lstat(full).catch(() => undefined);
    if (there?.isDirectory() === true) throw new Error(`${path} is a folder`);
    if (there === undefined) this.made.push({ path });
    else if (there.isFile() || there.isSymbolicLink()) {
      if (there.size > maxOriginalBytes) throw new Error(`${path} is there and is larger than 4 MiB`);
      this.made.push({ path, original: await this.#keep(full, there) });
    } else throw new Error(`${path} is there and is no file`);
    return full;
  }

  async #keep(full: string, there: Awaited<ReturnType<typeof lstat>>): Promise<string> {
    const original: Original = {
      kind: there.isFile() ? "file" : "link",
      rights: { mode: Number(there.mode) & 0o7777, uid: Number(there.uid), gid: Number(there.gid) },
      content: there.isFile() ? (await readFile(full)).toString("base64") : await readlink(full),
    };
    const text = JSON.stringify(original);
    const name = createHash("sha256").update(text).digest("hex");
    await writeSynced(join(this.#originals, name), text, 0o600);
    return name;
  }

  /** Undefined when it is gone: then what was made is removed. */
  async #kept(name: string): Promise<Original | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#originals, name), "utf8")) as Original;
    } catch {
      return undefined;
    }
  }

  #chown(path: string, { uid, gid }: Omit<Rights, "mode">): Promise<void> {
    return this.#machine.chown(path, uid, gid);
  }
}

/** Makes the folder. Rejects when a link on the way belongs to someone other than root. */
async function safeFolder(machine: Machine, path: string): Promise<void> {
  let current = "";
  for (const part of path.split("/").filter((word) => word !== "")) {
    current += `/${part}`;
    const full = at(machine, current);
    const there = await lstat(full).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (there === undefined) {
      await mkdir(full, { mode: 0o755 });
      continue;
    }
    if (!there.isSymbolicLink()) continue;
    if (there.uid !== 0) throw new Error(`${current} is a link that root did not make`);
    // A link to nothing yet: /home leads to /var/home.
    const known = await stat(full).catch(() => undefined);
    if (known === undefined) await mkdir(join(dirname(full), await readlink(full)), { recursive: true });
  }
}
