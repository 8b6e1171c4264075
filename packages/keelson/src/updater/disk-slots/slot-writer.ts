import { KeelError } from "../../base/errors.ts";
import type { RootWriter } from "../boot-slots.ts";
import { alignedBuffer, blockBytes } from "./boot-disk.ts";
import type { SlotDevice } from "./boot-disk.ts";

const bufferBytes = 1 << 20;
const bufferCount = 3;

/** Gathers chunks into large aligned writes; while one is on its way the next is filled. */
export class SlotWriter implements RootWriter {
  readonly #device: SlotDevice;
  readonly #free: Uint8Array[] = Array.from({ length: bufferCount }, () => alignedBuffer(bufferBytes));
  readonly #flying = new Set<Promise<void>>();
  #current: Uint8Array | undefined;
  #filled = 0;
  #position = 0;
  #failure: unknown;

  constructor(device: SlotDevice) {
    this.#device = device;
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
    await Promise.all(this.#flying);
    this.#check();
    await this.#device.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#flying);
    await this.#device[Symbol.asyncDispose]();
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
