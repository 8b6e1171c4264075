// A disk whose power may go at any step. Writes to slots and to files wait in a cache until they are synced; when the
// power goes, each sector of what waits is kept or lost by chance. Directory changes of the ESP are in order, one after
// the other, as FAT makes them with `dirsync`: a rename is three steps, the first of which leaves an empty new name.
import type { Random } from "../../base/random.ts";
import type { SlotName } from "../../model/os-image.ts";
import type { BootDisk, EntryFolder, SlotDevice } from "../disk-slots/boot-disk.ts";
import { bootOnce } from "./simulated-firmware.ts";
import type { Boot } from "./simulated-firmware.ts";

/** What every operation ends with once the power is gone. */
export class PowerCut extends Error {
  constructor() {
    super("the power is gone");
    this.name = "PowerCut";
  }
}

export interface SimulatedDiskOptions {
  readonly random: Random;
  readonly slotBytes: number;
  readonly espBytes: number;
}

interface WaitingWrite {
  readonly slot: SlotName;
  readonly position: number;
  readonly bytes: Uint8Array;
}

const sectorBytes = 512;

export class SimulatedDisk implements BootDisk {
  readonly slots: Readonly<Record<SlotName, Uint8Array>>;
  /** Files of the ESP's folder as they are on the disk. */
  readonly files = new Map<string, Uint8Array>();
  /** Steps that changed something since {@link cutAfter}. */
  steps = 0;
  readonly #options: SimulatedDiskOptions;
  #cutAt = Number.POSITIVE_INFINITY;
  #dead = false;
  #waiting: WaitingWrite[] = [];
  /** Contents that only the cache has. */
  readonly #unsynced = new Map<string, Uint8Array>();
  #boot: Boot | undefined;

  constructor(options: SimulatedDiskOptions) {
    this.#options = options;
    this.slots = { a: new Uint8Array(options.slotBytes), b: new Uint8Array(options.slotBytes) };
  }

  /** The power goes in the step with this number, counted from now. */
  cutAfter(steps: number): void {
    this.steps = 0;
    this.#cutAt = steps;
  }

  /** The power goes now. What waits is lost or kept by chance. */
  cut(): void {
    const { random } = this.#options;
    const kept = random.next();
    for (const { slot, position, bytes } of this.#waiting)
      for (let at = 0; at < bytes.byteLength; at += sectorBytes)
        if (random.next() < kept) this.slots[slot].set(bytes.subarray(at, at + sectorBytes), position + at);
    for (const [name, content] of this.#unsynced) {
      const torn = new Uint8Array(Math.floor(content.byteLength * random.next()));
      for (let at = 0; at < torn.byteLength; at += sectorBytes)
        if (random.next() < kept)
          torn.set(content.subarray(at, Math.min(at + sectorBytes, torn.byteLength)), at);
      if (this.files.has(name)) this.files.set(name, torn);
    }
    this.#forget();
    this.#dead = true;
  }

  /** Starts until a system runs. Undefined when none does, within so many tries. */
  async start(tries = 12): Promise<Boot | undefined> {
    this.#forget();
    this.#dead = false;
    this.#cutAt = Number.POSITIVE_INFINITY;
    for (let left = tries; left > 0; left--) {
      this.#boot = await bootOnce(this.files, this.slots);
      if (this.#boot !== undefined) return this.#boot;
    }
    return undefined;
  }

  async commandLine(): Promise<string> {
    return this.#running().commandLine;
  }

  async activeSlot(): Promise<SlotName> {
    return this.#running().slot;
  }

  async openSlot(slot: SlotName, mode: "read" | "write"): Promise<SlotDevice> {
    this.#alive();
    if (mode === "write" && slot === this.#running().slot) throw new Error("the running slot was opened");
    return {
      bytes: this.#options.slotBytes,
      read: async (buffer, position) => {
        this.#alive();
        buffer.set(this.slots[slot].subarray(position, position + buffer.byteLength));
        for (const one of this.#waiting) if (one.slot === slot) overlay(buffer, position, one);
      },
      write: async (buffer, position) => {
        this.#waiting.push({ slot, position, bytes: Uint8Array.from(buffer) });
        this.#step();
      },
      sync: async () => {
        this.#step();
        for (const { slot: of, position, bytes } of this.#waiting) this.slots[of].set(bytes, position);
        this.#waiting = [];
      },
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async withEntries<T>(task: (folder: EntryFolder) => Promise<T>): Promise<T> {
    this.#alive();
    return task(this.#folder());
  }

  #folder(): EntryFolder {
    const content = (name: string): Uint8Array => {
      this.#alive();
      const found = this.#unsynced.get(name) ?? this.files.get(name);
      if (found === undefined) throw Object.assign(new Error(`no file ${name}`), { code: "ENOENT" });
      return found;
    };
    return {
      list: async () => {
        this.#alive();
        return [...this.files.keys()].map((name) => ({ name, bytes: content(name).byteLength }));
      },
      read: async (name, position, length) => content(name).subarray(position, position + length),
      write: async (name, chunks) => {
        if (this.files.has(name)) throw Object.assign(new Error(`${name} is there`), { code: "EEXIST" });
        this.#step();
        this.files.set(name, new Uint8Array());
        const parts: Uint8Array[] = [];
        for await (const chunk of chunks) {
          parts.push(Uint8Array.from(chunk));
          if (this.#used() + chunk.byteLength > this.#options.espBytes)
            throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
          this.#unsynced.set(name, Buffer.concat(parts));
          this.#step();
        }
        this.#step();
        this.files.set(name, content(name));
        this.#unsynced.delete(name);
      },
      readBack: async function* (name) {
        yield content(name);
      },
      rename: async (from, to) => {
        const bytes = content(from);
        this.#step();
        this.files.set(to, new Uint8Array());
        this.#step();
        this.files.set(to, bytes);
        this.#step();
        this.files.delete(from);
      },
      remove: async (name) => {
        const bytes = content(name);
        this.#step();
        this.files.delete(name);
        this.#unsynced.delete(name);
        // Two names for the same bytes, left by a rename that was cut: what one frees the other loses.
        for (const [other, shared] of this.files)
          if (shared === bytes) this.files.set(other, new Uint8Array(bytes.byteLength));
      },
      free: async () => this.#options.espBytes - this.#used(),
    };
  }

  #used(): number {
    let sum = 0;
    for (const [name, bytes] of this.files) sum += (this.#unsynced.get(name) ?? bytes).byteLength;
    return sum;
  }

  /** One change of the disk begins. The power may go instead. */
  #step(): void {
    this.#alive();
    if (this.steps++ < this.#cutAt) return;
    this.cut();
    throw new PowerCut();
  }

  #alive(): void {
    if (this.#dead) throw new PowerCut();
  }

  #running(): Boot {
    if (this.#boot === undefined) throw new Error("the simulated machine was never started");
    return this.#boot;
  }

  #forget(): void {
    this.#waiting = [];
    this.#unsynced.clear();
  }
}

function overlay(buffer: Uint8Array, position: number, write: WaitingWrite): void {
  const from = Math.max(position, write.position);
  const to = Math.min(position + buffer.byteLength, write.position + write.bytes.byteLength);
  if (from < to)
    buffer.set(write.bytes.subarray(from - write.position, to - write.position), from - position);
}
