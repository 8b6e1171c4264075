// The disk of a machine made of folders: slots and ESP are files of the host, which plays firmware and first process
// (firmware.ts). Everything else is as on a disk, so disk-slots.ts works on it unchanged.
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { KeelError, describeError } from "../../base/errors.ts";
import { entryFolder, slotBytes, treeDisk } from "../../model/os-image.ts";
import type { SlotName } from "../../model/os-image.ts";
import type { BootDisk, EntryFolder, SlotDevice } from "../disk-slots/boot-disk.ts";
import { diskError, openExtent } from "../disk-slots/block-file.ts";
import { openEntryFolder } from "../disk-slots/mounted-entries.ts";

export class TreeDisk implements BootDisk {
  readonly #folder: string;
  readonly #bytes: number;

  /** @param bytes of a slot; a multiple of 4096 */
  constructor(folder: string = treeDisk.path, bytes: number = slotBytes) {
    this.#folder = folder;
    this.#bytes = bytes;
  }

  commandLine(): Promise<string> {
    return this.#text(treeDisk.commandLine);
  }

  async activeSlot(): Promise<SlotName> {
    const name = (await this.#text(treeDisk.active)).trim();
    if (name === "a" || name === "b") return name;
    throw new KeelError("KEEL-801", "this system was not started from a slot");
  }

  async openSlot(slot: SlotName, mode: "read" | "write"): Promise<SlotDevice> {
    if (mode === "write" && slot === (await this.activeSlot()))
      throw new KeelError("KEEL-802", `slot ${slot} runs and cannot be written`);
    const path = join(this.#folder, treeDisk.slots[slot]);
    await sizeSlot(path, this.#bytes);
    return openExtent({ path, offset: 0, bytes: this.#bytes }, mode);
  }

  async withEntries<T>(task: (folder: EntryFolder) => Promise<T>): Promise<T> {
    return task(await openEntryFolder(join(this.#folder, treeDisk.esp, entryFolder)));
  }

  async #text(name: string): Promise<string> {
    return readFile(join(this.#folder, name), "utf8").catch((error: unknown) => {
      throw new KeelError("KEEL-801", `this system was not started from a slot: ${describeError(error)}`, {
        cause: error,
      });
    });
  }
}

/** A slot is as large as a partition would be; what was never written takes no room. */
async function sizeSlot(path: string, bytes: number): Promise<void> {
  try {
    await using file = await open(path, "a+", 0o600);
    if ((await file.stat()).size !== bytes) await file.truncate(bytes);
  } catch (error) {
    throw diskError(error, path);
  }
}
