import { pollBounds } from "@keelson/omaha";

export interface CapacityOptions {
  /** Requests that are read and answered at a time. */
  readonly requests: number;
  /** Bytes of entries that may wait for the disk. */
  readonly waitingBytes: number;
}

/** How long clients that were turned away wait, in seconds, and over how long they come back. */
const RETRY_SECONDS = 30;
const RETRY_SPREAD_SECONDS = 90;

/** What the server takes on at a time. Above that it says so at once, instead of saying everything late. */
export class Capacity {
  readonly #options: CapacityOptions;
  readonly #waitingBytes: () => number;
  #requests = 0;
  #refused = 0;

  constructor(options: CapacityOptions, waitingBytes: () => number) {
    this.#options = options;
    this.#waitingBytes = waitingBytes;
  }

  /** Requests under way. */
  get requests(): number {
    return this.#requests;
  }

  /** Requests that were turned away. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes a request on, or says no. */
  enter(): boolean {
    const { requests, waitingBytes } = this.#options;
    const fits = this.#requests < requests && this.#waitingBytes() < waitingBytes;
    if (fits) this.#requests++;
    else this.#refused++;
    return fits;
  }

  leave(): void {
    this.#requests--;
  }

  /** When one that was turned away should come back, in seconds: the next ones at other times. */
  get retrySeconds(): number {
    return RETRY_SECONDS + ((this.#refused * 37) % RETRY_SPREAD_SECONDS);
  }

  /**
   * What clients are asked to wait for at least until their next check, in seconds: nothing below half of the
   * capacity, from there on longer, up to the longest that update_engine takes.
   */
  get pollSeconds(): number | undefined {
    const share = this.#requests / this.#options.requests;
    if (share <= 0.5) return undefined;
    const { least, most } = pollBounds;
    return Math.round(least + (most - least) * Math.min(1, (share - 0.5) * 2));
  }
}
