// Unit files by their hash, from the store, checked. A bounded cache: what was used last stays longest.
import { createHash } from "node:crypto";
import { KeelError } from "../base/errors.ts";
import { keys, nameIn, prefixes } from "../model/keys.ts";
import { maxBodyBytes } from "../model/unit.ts";
import type { CallOptions, StoreClient } from "./store-client.ts";

/** SHA-256 of a unit file, in hexadecimal. */
export function hashBody(body: string | Uint8Array): string {
  return createHash("sha256").update(body).digest("hex");
}

/** Files in one call: one may have a megabyte. */
const hashesPerCall = 32;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export class BodyCache {
  readonly #client: StoreClient;
  readonly #maxBytes: number;
  readonly #bodies = new Map<string, { readonly body: string; readonly bytes: number }>();
  readonly #loading = new Map<string, Promise<string | undefined>>();
  #bytes = 0;

  constructor(client: StoreClient, maxBytes = 8 << 20) {
    this.#client = client;
    this.#maxBytes = maxBytes;
  }

  /** What the cache holds, without asking the store. */
  get(hash: string): string | undefined {
    const held = this.#bodies.get(hash);
    if (held === undefined) return undefined;
    this.#bodies.delete(hash);
    this.#bodies.set(hash, held);
    return held.body;
  }

  /** A body that is known already, from a submission. Its hash is taken on trust. */
  put(hash: string, body: string): void {
    this.#forget(hash);
    const bytes = Buffer.byteLength(body);
    this.#bodies.set(hash, { body, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#bodies.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === hash) break;
      this.#forget(oldest);
    }
  }

  /**
   * The body, from the cache or the store; undefined when the store has none.
   * Rejects with KEEL-402 when what the store holds does not have this hash, or is no unit file.
   */
  load(hash: string, options: CallOptions = {}): Promise<string | undefined> {
    const held = this.get(hash);
    if (held !== undefined) return Promise.resolve(held);
    const loading = this.#loading.get(hash) ?? this.#load(hash, options);
    this.#loading.set(hash, loading);
    return loading;
  }

  /** Several at once; absent ones are left out. */
  async loadAll(hashes: Iterable<string>, options: CallOptions = {}): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const wanted = [...new Set(hashes)];
    for (let first = 0; first < wanted.length; first += 32) {
      const some = wanted.slice(first, first + 32);
      const bodies = await Promise.all(some.map((hash) => this.load(hash, options)));
      for (const [index, body] of bodies.entries()) {
        if (body !== undefined) found.set(some[index] ?? "", body);
      }
    }
    return found;
  }

  /** As `loadAll`, with few calls; one that is not what its hash says is there as the error. */
  async loadMany(
    hashes: readonly string[],
    options: CallOptions = {},
  ): Promise<Map<string, string | KeelError>> {
    const found = new Map<string, string | KeelError>();
    const wanted = hashes.filter((hash) => {
      const held = this.get(hash);
      if (held !== undefined) found.set(hash, held);
      return held === undefined;
    });
    for (let first = 0; first < wanted.length; first += hashesPerCall) {
      const some = wanted.slice(first, first + hashesPerCall);
      const { values } = await this.#client.getAll(some.map(keys.body), options);
      for (const { key, value } of values) {
        const hash = nameIn(prefixes.bodies, key) ?? "";
        try {
          found.set(hash, this.#accept(hash, value));
        } catch (error) {
          if (!(error instanceof KeelError)) throw error;
          found.set(hash, error);
        }
      }
    }
    return found;
  }

  async #load(hash: string, options: CallOptions): Promise<string | undefined> {
    try {
      const { values } = await this.#client.range({ key: keys.body(hash) }, options);
      const value = values[0]?.value;
      return value === undefined ? undefined : this.#accept(hash, value);
    } finally {
      this.#loading.delete(hash);
    }
  }

  #accept(hash: string, value: Uint8Array): string {
    if (value.byteLength > maxBodyBytes || hashBody(value) !== hash) {
      throw new KeelError("KEEL-402", `${keys.body(hash)}: the unit file does not have this hash`);
    }
    const body = decoder.decode(value);
    this.put(hash, body);
    return body;
  }

  #forget(hash: string): void {
    this.#bytes -= this.#bodies.get(hash)?.bytes ?? 0;
    this.#bodies.delete(hash);
  }
}
