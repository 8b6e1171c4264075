import { KeelError } from "../../base/errors.ts";
import type { RootWriter } from "../boot-slots.ts";
import { alignedBuffer, blockBytes } from "./boot-disk.ts";
import type { SlotDevice } from "./boot-disk.ts";

const bufferBytes = 1 << 20;
const bufferCount = 3;
/** How much is written before it is made to stay. */
const partBytes = 32 << 20;

interface Waiting {
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers chunks into large aligned writes; while one is on its way the next is filled. Part by part is synced
 * meanwhile, so that the slot can be read back from its beginning while its end is still to come.
 */
export class SlotWriter implements RootWriter {
  readonly #device: SlotDevice;
  readonly #free: Uint8Array[] = Array.from({ length: bufferCount }, () => alignedBuffer(bufferBytes));
  readonly #flying = new Set<Promise<void>>();
  #current: Uint8Array | undefined;
  #filled = 0;
  #position = 0;
  #failure: unknown;
  readonly #partBytes: number;
  #synced = 0;
  #syncing: Promise<void> = Promise.resolve();
  #waiting: Waiting[] = [];

  /** @param bytes of a part, a multiple of 1 MiB */
  constructor(device: SlotDevice, bytes: number = partBytes) {
    this.#device = device;
    this.#partBytes = bytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#position + this.#filled + chunk.byteLength > this.#device.bytes)
      throw new KeelError("KEEL-809", `the slot holds ${this.#device.bytes} bytes, the image is larger`);
    for (let rest = chunk; rest.byteLength > 0;) {
      this.#current ??= await this.#freeBuffer();
      const part = rest.subarray(0, bufferBytes - this.#filled);
      this.#current.set(part, this.#filled);
      this.#filled += part.byteLength;
      rest = rest.subarray(part.byteLength);
      if (this.#filled === bufferBytes) this.#send();
    }
  }

  async sync(): Promise<void> {
    if (this.#filled > 0) {
      const whole = Math.ceil(this.#filled / blockBytes) * blockBytes;
      this.#current?.fill(0, this.#filled, whole);
      this.#filled = whole;
      this.#send();
    }
    this.#syncPart();
    await this.#syncing;
    this.#check();
    // Nothing more is to come: who waits for more reads what is there.
    this.#tell(Number.POSITIVE_INFINITY);
  }

  untilSynced(bytes: number): Promise<void> {
    if (bytes <= this.#synced) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ bytes, resolve, reject }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#flying);
    await this.#syncing;
    for (const { reject } of this.#waiting.splice(0))
      reject(this.#failure ?? new Error("the slot was not written to its end"));
    await this.#device[Symbol.asyncDispose]();
  }

  /** Syncs what was sent so far, once it has arrived and what was synced before has. */
  #syncPart(): void {
    const end = this.#position;
    const sent = [...this.#flying, this.#syncing];
    this.#syncing = Promise.all(sent)
      .then(async () => {
        if (this.#failure !== undefined) return;
        await this.#device.sync();
        this.#tell(end);
      })
      .catch((error: unknown) => void (this.#failure ??= error));
  }

  #tell(synced: number): void {
    this.#synced = Math.max(this.#synced, synced);
    const ready = this.#waiting.filter(({ bytes }) => bytes <= this.#synced);
    this.#waiting = this.#waiting.filter(({ bytes }) => bytes > this.#synced);
    for (const { resolve } of ready) resolve();
  }

  /** Starts the write of what the current buffer holds. */
  #send(): void {
    const buffer = this.#current;
    if (buffer === undefined) return;
    const position = this.#position;
    this.#position += this.#filled;
    const flight = this.#device
      .write(buffer.subarray(0, this.#filled), position)
      .catch((error: unknown) => void (this.#failure ??= error))
      .finally(() => {
        this.#flying.delete(flight);
        this.#free.push(buffer);
      });
    this.#flying.add(flight);
    this.#current = undefined;
    this.#filled = 0;
    if (this.#position % this.#partBytes === 0) this.#syncPart();
  }

  async #freeBuffer(): Promise<Uint8Array> {
    while (this.#free.length === 0) await Promise.race(this.#flying);
    this.#check();
    return this.#free.pop() ?? alignedBuffer(bufferBytes);
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
