// What the agent has written on this machine, in one small file under /run: it is gone with the boot, as the
// unit files are. An entry is there before its file is, and until after it is gone.
import { KeelError } from "../base/errors.ts";
import { readIfThere, writeAtomically } from "./atomic-file.ts";
import type { UnitNote } from "./host.ts";

export interface ManifestEntry {
  readonly path: string;
  readonly service: string;
  readonly isQuadlet: boolean;
  readonly enabled: boolean;
  readonly note: UnitNote;
}

export class Manifest {
  readonly #path: string;
  #entries: Map<string, ManifestEntry>;
  #saving: Promise<void> = Promise.resolve();
  #dirty = false;

  private constructor(path: string, entries: Map<string, ManifestEntry>) {
    this.#path = path;
    this.#entries = entries;
  }

  /** Rejects with KEEL-402 when the file is damaged: without it nothing says which units are the agent's. */
  static async open(path: string): Promise<Manifest> {
    const text = await readIfThere(path);
    if (text === undefined || text === "") return new Manifest(path, new Map());
    try {
      const json = JSON.parse(text) as Record<string, ManifestEntry>;
      return new Manifest(path, new Map(Object.entries(json)));
    } catch (cause) {
      throw new KeelError("KEEL-402", `${path} is damaged`, {
        cause,
        hint: "Remove it together with the unit files that keeld wrote under /run, or restart the machine.",
      });
    }
  }

  get entries(): ReadonlyMap<string, ManifestEntry> {
    return this.#entries;
  }

  /** Resolves when the entry is on disk; entries set at the same time are written together. */
  set(name: string, entry: ManifestEntry): Promise<void> {
    this.#entries.set(name, entry);
    return this.#save();
  }

  delete(name: string): Promise<void> {
    return this.#entries.delete(name) ? this.#save() : Promise.resolve();
  }

  #save(): Promise<void> {
    if (this.#dirty) return this.#saving;
    this.#dirty = true;
    const save = this.#saving
      .catch(() => {})
      .then(() => {
        this.#dirty = false;
        return writeAtomically(this.#path, JSON.stringify(Object.fromEntries(this.#entries)), 0o600);
      });
    this.#saving = save;
    return save;
  }
}
