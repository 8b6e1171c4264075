// What one address may do at a time. Addresses that have done nothing for a while are forgotten.
import type { Clock } from "../base/clock.ts";

const mostAddresses = 10_000;

/** So many in a minute, and no more at once: a bucket of tokens for each address. */
export class RateLimit {
  readonly #perMinute: number;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { left: number; at: number }>();

  constructor(perMinute: number, clock: Clock) {
    this.#perMinute = perMinute;
    this.#clock = clock;
  }

  /** Whether the address may do it once more now. */
  take(address: string): boolean {
    const now = this.#clock.now();
    const bucket = this.#buckets.get(address) ?? { left: this.#perMinute, at: now };
    const left = Math.min(this.#perMinute, bucket.left + ((now - bucket.at) / 60_000) * this.#perMinute);
    // The one that was used last is last in the map.
    this.#buckets.delete(address);
    this.#buckets.set(address, { left: left >= 1 ? left - 1 : left, at: now });
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= mostAddresses) break;
      this.#buckets.delete(oldest);
    }
    return left >= 1;
  }
}

/** So many at a time for each address. */
export class Places {
  readonly #most: number;
  readonly #taken = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Takes a place; undefined if there is none, otherwise gives it back when called. */
  take(address: string): (() => void) | undefined {
    const taken = this.#taken.get(address) ?? 0;
    if (taken >= this.#most) return undefined;
    this.#taken.set(address, taken + 1);
    return () => {
      const now = this.#taken.get(address) ?? 1;
      if (now <= 1) this.#taken.delete(address);
      else this.#taken.set(address, now - 1);
    };
  }
}
