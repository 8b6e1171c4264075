// How long the leader leaves its process to others between passes. A few passes, one after the other, owe nothing
// yet: whoever asks for one unit, or for some, is answered at once. Under a storm of changes passes take at most half
// of the time.

/** For each millisecond of a pass, so many are left to others. */
const owedForEach = 1;
/** So much may be owed before it is paid. */
const creditMs = 2000;

export class Rest {
  #owedMs = 0;
  #knownMs: number;

  constructor(nowMs: number) {
    this.#knownMs = nowMs;
  }

  /** After a pass that took so long and ended now. Returns how long to rest before the next one, in milliseconds. */
  after(passMs: number, nowMs: number): number {
    const leftToOthersMs = Math.max(0, nowMs - this.#knownMs - passMs);
    this.#knownMs = nowMs;
    this.#owedMs = Math.max(0, this.#owedMs - leftToOthersMs) + owedForEach * passMs;
    return Math.max(0, this.#owedMs - creditMs);
  }
}
