// What a disk with two slots and an ESP is to the updater. A machine's own disk, an image file and a simulated one
// are this; disk-slots.ts decides what is done with them.
import type { SlotName } from "../../model/os-image.ts";

export interface BootDisk {
  /** The kernel's command line of the running system. */
  commandLine(): Promise<string>;
  /** The slot that the running system reads from. */
  activeSlot(): Promise<SlotName>;
  openSlot(slot: SlotName, mode: "read" | "write"): Promise<SlotDevice>;
  /** The folder of kernels on the ESP, there only while the task runs. */
  withEntries<T>(task: (folder: EntryFolder) => Promise<T>): Promise<T>;
}

export interface SlotDevice extends AsyncDisposable {
  readonly bytes: number;
  /** Fills the buffer from the disk itself, not from a cache; both numbers are multiples of 4096. */
  read(buffer: Uint8Array, position: number): Promise<void>;
  /** A buffer of {@link alignedBuffer}; the position and the length are multiples of 4096. */
  write(buffer: Uint8Array, position: number): Promise<void>;
  /** What was written stays there when the power goes. */
  sync(): Promise<void>;
}

/** Directory changes are on the disk in their order when they return. */
export interface EntryFolder {
  list(): Promise<readonly { readonly name: string; readonly bytes: number }[]>;
  /** At most `length` bytes from `position`. */
  read(name: string, position: number, length: number): Promise<Uint8Array>;
  /** Writes a new file; it is on the disk when this returns. */
  write(name: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** The whole file, from the disk itself. */
  readBack(name: string): AsyncIterable<Uint8Array>;
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Free bytes. */
  free(): Promise<number>;
}

/** Disks are read and written past the caches in multiples of this, from buffers that begin at one. */
export const blockBytes = 4096;

/** A buffer that begins on a page: reserved memory does, allocated memory does not. */
export function alignedBuffer(bytes: number): Uint8Array<ArrayBuffer> {
  const length = Math.ceil(bytes / blockBytes) * blockBytes;
  return new Uint8Array(new ArrayBuffer(length, { maxByteLength: length }), 0, bytes);
}
