// Where the encoded messages of the history lie: one behind the other in large buffers outside of V8's heap, so
// that the collector neither copies nor looks at them. Nothing written is overwritten. A slab goes when nothing
// refers to it any more; compaction moves what is left in a slab that is mostly dropped.

/** A buffer that messages are appended to. */
export class Slab {
  readonly bytes: Buffer;
  /** Bytes written. */
  used = 0;
  /** Of those, the bytes of messages that are still kept. */
  kept = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }
}

const SLAB_BYTES = 1 << 20;
/** A message larger than this part of a slab has one of its own. */
const LARGE_PART = 1 / 8;

export class Slabs {
  readonly #size: number;
  #current: Slab;

  constructor(size = SLAB_BYTES) {
    this.#size = size;
    this.#current = new Slab(size);
  }

  /** A slab with room for `length` bytes from its `used` on; the caller writes them and calls {@link took}. */
  withRoom(length: number): Slab {
    if (length > this.#size * LARGE_PART) return new Slab(length);
    if (this.#current.used + length > this.#size) this.#current = new Slab(this.#size);
    return this.#current;
  }

  /** Whether so much of a slab was dropped that moving the rest frees more than it costs. */
  isSparse(slab: Slab): boolean {
    return slab !== this.#current && slab.kept * 2 < slab.used;
  }
}

/** Where one message lies. */
export interface Place {
  readonly slab: Slab;
  readonly offset: number;
  readonly length: number;
}

/** `length` bytes were written to a slab, and are kept. */
export function took(slab: Slab, length: number): Place {
  const offset = slab.used;
  slab.used += length;
  slab.kept += length;
  return { slab, offset, length };
}
