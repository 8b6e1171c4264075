// Options and fleet's hashes of unit files, by our own hash. Bounded: a page shows a hundred units.
import type { BodyCache } from "../../registry/body-cache.ts";
import { optionsHash, parseOptions } from "./options.ts";
import type { FleetOption } from "./options.ts";

export interface FleetFile {
  readonly options: readonly FleetOption[];
  /** SHA-1, as fleet made it. */
  readonly hash: string;
}

const absent: FleetFile = { options: [], hash: "" };
const mostFiles = 1000;

export class OptionCache {
  readonly #bodies: BodyCache;
  readonly #files = new Map<string, FleetFile>();

  constructor(bodies: BodyCache) {
    this.#bodies = bodies;
  }

  /** The files of these hashes, in their order; one without options for what the store does not hold. */
  async load(hashes: readonly string[], signal: AbortSignal): Promise<FleetFile[]> {
    const missing = new Set(hashes.filter((hash) => !this.#files.has(hash) && hash !== ""));
    const bodies = await this.#bodies.loadAll(missing, { signal });
    const files = hashes.map((hash) => this.#files.get(hash) ?? this.#read(hash, bodies.get(hash)));
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= mostFiles) break;
      this.#files.delete(oldest);
    }
    return files;
  }

  async one(hash: string, signal: AbortSignal): Promise<FleetFile> {
    const [file = absent] = await this.load([hash], signal);
    return file;
  }

  #read(hash: string, body: string | undefined): FleetFile {
    if (body === undefined) return absent;
    const options = parseOptions(body);
    const file = { options, hash: optionsHash(options) };
    this.#files.set(hash, file);
    return file;
  }
}
