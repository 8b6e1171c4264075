// The two places that a machine can start from. Disks with an ESP have them, local machines made of folders, and
// simulated ones; one suite holds for all.
import type { BootEntry, SlotName } from "../model/os-image.ts";

export interface SlotState {
  readonly name: SlotName;
  /** UUID of the file system in it; undefined when there is none that can be read. */
  readonly uuid?: string;
  /** Whether the running system is in it. */
  readonly active: boolean;
  /** How much it holds. */
  readonly bytes: number;
}

/** An entry of the boot menu, and the slot that it starts from. */
export interface SlotEntry extends BootEntry {
  /** Undefined when no slot has what it names, or the kernel cannot be read: it cannot start. */
  readonly slot?: SlotName;
}

export interface RootWriter extends AsyncDisposable {
  /** Appends; throws when the slot is full or cannot be written. */
  write(chunk: Uint8Array): Promise<void>;
  /** Everything written is on the disk, past its caches. */
  sync(): Promise<void>;
  /** Resolves when the first bytes, so many, are on the disk, which happens in parts; rejects when they will not be. */
  untilSynced(bytes: number): Promise<void>;
}

/** A slot's bytes at any place. */
export interface SlotReader extends AsyncDisposable {
  readonly size: number;
  /** Both are multiples of 4096. What is returned is valid until the next read. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/**
 * Reads and changes where the machine starts from. Until {@link activate} has returned nothing that this does can
 * change what starts next, whenever the power goes; activate itself is one rename.
 */
export interface BootSlots {
  slots(): Promise<readonly SlotState[]>;
  /** The version that runs, from the kernel's command line. */
  running(): Promise<{ readonly version: string; readonly uuid: string }>;
  /** What the boot loader would choose from. */
  entries(): Promise<readonly SlotEntry[]>;
  /** The kernel that starts a version; undefined without an entry for it. */
  kernel(version: string): Promise<Uint8Array | undefined>;
  /** How large a kernel may be: what is free, and what {@link openPassive} removes. */
  kernelRoom(): Promise<number>;
  /** Opens the passive slot for writing from its beginning. Entries that start from it are removed first. */
  openPassive(): Promise<RootWriter>;
  /** Reads a slot's first bytes back, past caches. What ends at `end` is read once `until(end)` has resolved. */
  read(slot: SlotName, length: number, until?: (end: number) => Promise<void>): AsyncIterable<Uint8Array>;
  /** Opens a slot for reading here and there, past caches. */
  openReader(slot: SlotName): Promise<SlotReader>;
  /**
   * Makes a kernel an entry, with tries, to be preferred at the next start. The last and only step that counts.
   * When `kernel` throws nothing is changed.
   */
  activate(version: string, kernel: AsyncIterable<Uint8Array>): Promise<void>;
  /** The entry needs no more tries. */
  bless(version: string): Promise<void>;
  /** The entry is chosen only when there is no other: going back. */
  condemn(version: string): Promise<void>;
  /** The entry gets all its tries again, although it was blessed or condemned. */
  retry(version: string): Promise<void>;
}
