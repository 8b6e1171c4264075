// All keys with any history, in byte order, in blocks of a few hundred. Each block knows how many of its keys
// are live now, so that counting a range touches the two blocks at its ends and adds up the rest.

import type { Version } from "./version.ts";

/** A key and the newest link of its history. */
export interface KeyEntry {
  readonly key: string;
  latest: Version;
}

interface Block {
  readonly entries: KeyEntry[];
  live: number;
}

const MOST_PER_BLOCK = 512;

export class OrderedKeys {
  readonly #blocks: Block[] = [];

  /** Adds an entry whose key is not there yet; counted as live if it is. */
  insert(entry: KeyEntry): void {
    const live = entry.latest.isTombstone ? 0 : 1;
    if (this.#blocks.length === 0) {
      this.#blocks.push({ entries: [entry], live });
      return;
    }
    const at = this.#blockOf(entry.key);
    const block = this.#blocks[at] as Block;
    const position = lowerBound(block.entries, entry.key);
    if (position === block.entries.length) block.entries.push(entry);
    else block.entries.splice(position, 0, entry);
    block.live += live;
    if (block.entries.length > MOST_PER_BLOCK) this.#split(at);
  }

  /** Takes out an entry that is a tombstone. */
  remove(key: string): void {
    const at = this.#blockOf(key);
    const block = this.#blocks[at];
    if (block === undefined) return;
    const position = lowerBound(block.entries, key);
    if (block.entries[position]?.key !== key) return;
    block.entries.splice(position, 1);
    if (block.entries.length === 0) this.#blocks.splice(at, 1);
  }

  /** The key came to life (1) or was deleted (-1). */
  adjustLive(key: string, by: 1 | -1): void {
    const block = this.#blocks[this.#blockOf(key)];
    if (block !== undefined) block.live += by;
  }

  /** Live keys in [start, end); `end` undefined is no upper bound. */
  countLive(start: string, end: string | undefined): number {
    if (end !== undefined && end <= start) return 0;
    const first = this.#blockOf(start);
    const last = end === undefined ? this.#blocks.length - 1 : this.#blockOf(end);
    let count = 0;
    for (let at = first; at <= last; at++) {
      const block = this.#blocks[at];
      if (block === undefined) break;
      const from = at === first ? lowerBound(block.entries, start) : 0;
      const to = at === last && end !== undefined ? lowerBound(block.entries, end) : block.entries.length;
      count += from === 0 && to === block.entries.length ? block.live : countBetween(block, from, to);
    }
    return count;
  }

  /** Calls `see` for the keys in [start, end) in order, live or not, until it returns false. */
  visit(start: string, end: string | undefined, see: (entry: KeyEntry) => boolean): void {
    let at = this.#blockOf(start);
    let position = lowerBound(this.#blocks[at]?.entries ?? [], start);
    for (; at < this.#blocks.length; at++, position = 0) {
      const { entries } = this.#blocks[at] as Block;
      for (; position < entries.length; position++) {
        const entry = entries[position] as KeyEntry;
        if (end !== undefined && entry.key >= end) return;
        if (!see(entry)) return;
      }
    }
  }

  /** Index of the last block whose first key is not above `key`; 0 if there is none. */
  #blockOf(key: string): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const first = (this.#blocks[middle] as Block).entries[0] as KeyEntry;
      if (first.key <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #split(at: number): void {
    const block = this.#blocks[at] as Block;
    // Keys that arrive in order fill their blocks instead of leaving each half empty.
    const keep = at === this.#blocks.length - 1 ? MOST_PER_BLOCK : MOST_PER_BLOCK / 2;
    const upper: Block = { entries: block.entries.splice(keep), live: 0 };
    upper.live = countBetween(upper, 0, upper.entries.length);
    block.live -= upper.live;
    this.#blocks.splice(at + 1, 0, upper);
  }
}

function lowerBound(entries: readonly KeyEntry[], key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as KeyEntry).key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function countBetween(block: Block, from: number, to: number): number {
  let count = 0;
  for (let index = from; index < to; index++) {
    if (!(block.entries[index] as KeyEntry).latest.isTombstone) count++;
  }
  return count;
}
