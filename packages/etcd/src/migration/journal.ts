// What is recorded of a move while it is under way, so that it can be finished or undone after a crash of the mover:
// written before each step that changes what others see. Holds the means to unseal, so only its owner may read it.

import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { EtcdError } from "../errors.ts";

export interface RecordedWrite {
  /** latin1: one character is one byte. */
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

export interface JournalEntry {
  readonly format: 1;
  /** `copying`: the target is of no use. `following`: it lacks the newest revisions only. `sealing`: the source is
   *  sealed or about to be. `writing`: the last writes have begun. `handed over`: the source knows. */
  readonly step: "copying" | "following" | "sealing" | "writing" | "handed over";
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** The seal's token, or the password of the user who sealed an etcd cluster. */
  readonly secret: string;
  readonly successor: readonly string[];
  readonly writes: readonly RecordedWrite[];
  /** What both stores were when the hand-over was over. */
  readonly final?: { readonly revision: number; readonly hash: number } | undefined;
}

const MOST_BYTES = 64 << 20;

export class Journal {
  readonly #file: string;
  #entry: JournalEntry;

  private constructor(file: string, entry: JournalEntry) {
    this.#file = file;
    this.#entry = entry;
  }

  /** Throws MIGRATION_REFUSED if there is one already. */
  static async create(file: string, entry: JournalEntry): Promise<Journal> {
    const before = await read(file);
    if (before !== undefined) {
      throw new EtcdError(
        "MIGRATION_REFUSED",
        `${file} records a move that is not over (step "${before.step}"): finish it or undo it first`,
      );
    }
    const journal = new Journal(file, entry);
    await journal.#write();
    return journal;
  }

  /** Throws MIGRATION_REFUSED if there is none. */
  static async open(file: string): Promise<Journal> {
    const entry = await read(file);
    if (entry === undefined) throw new EtcdError("MIGRATION_REFUSED", `${file} records no move`);
    return new Journal(file, entry);
  }

  get entry(): JournalEntry {
    return this.#entry;
  }

  async record(change: Partial<JournalEntry>): Promise<void> {
    this.#entry = { ...this.#entry, ...change };
    await this.#write();
  }

  async remove(): Promise<void> {
    await rm(this.#file, { force: true });
  }

  async #write(): Promise<void> {
    const beside = `${this.#file}.new`;
    try {
      await rm(beside, { force: true });
      const handle = await open(beside, "wx", 0o600);
      try {
        await handle.writeFile(JSON.stringify(this.#entry));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(beside, this.#file);
      await using folder = await open(dirname(this.#file), "r");
      await folder.sync();
    } catch (cause) {
      throw new EtcdError("STORE_IO", `the move cannot be recorded in ${this.#file}: ${String(cause)}`, {
        cause,
      });
    }
  }
}

async function read(file: string): Promise<JournalEntry | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new EtcdError("STORE_IO", `${file} cannot be read: ${String(cause)}`, { cause });
  }
  try {
    if (text.length > MOST_BYTES) throw new Error("it is too large");
    const entry = JSON.parse(text) as JournalEntry;
    const isWhole =
      entry.format === 1 &&
      typeof entry.secret === "string" &&
      Array.isArray(entry.writes) &&
      "step" in entry;
    if (!isWhole) throw new Error("it lacks what it should hold");
    return entry;
  } catch (cause) {
    throw new EtcdError("STORE_DAMAGED", `${file} does not record a move: ${String(cause)}`, { cause });
  }
}
