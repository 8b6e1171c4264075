/** A client whose requests cannot be read: it gets no updates and cannot say so itself. */
export interface UnreadableClient {
  readonly address: string;
  /** Requests that could not be read. */
  readonly count: number;
  readonly lastError: string;
  /** Unix milliseconds. */
  readonly firstMs: number;
  readonly lastMs: number;
}

const MOST_CLIENTS = 256;
const LONGEST_ERROR = 300;
/** What a terminal or a page could take for more than text. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The clients that were unreadable of late; those that were not heard of for the longest time give way. */
export class UnreadableClients {
  readonly #clients = new Map<string, UnreadableClient>();
  #total = 0;

  /** Requests that could not be read, of all clients. */
  get total(): number {
    return this.#total;
  }

  add(address: string, error: string, nowMs: number): void {
    this.#total++;
    const known = this.#clients.get(address);
    // Set anew, so that the order is that of the last time.
    this.#clients.delete(address);
    this.#clients.set(address, {
      address,
      count: (known?.count ?? 0) + 1,
      lastError: error.slice(0, LONGEST_ERROR).replace(unprintable, "\u{fffd}"),
      firstMs: known?.firstMs ?? nowMs,
      lastMs: nowMs,
    });
    const [longest] = this.#clients.keys();
    if (this.#clients.size > MOST_CLIENTS && longest !== undefined) this.#clients.delete(longest);
  }

  /** It can be read again. */
  remove(address: string): void {
    if (this.#clients.size > 0) this.#clients.delete(address);
  }

  /** The latest first. */
  list(): readonly UnreadableClient[] {
    return [...this.#clients.values()].toReversed();
  }
}
